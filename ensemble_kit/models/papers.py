"""The papers of the architectures, as a list of references has them."""

PAPERS = {
    "chollet2017": "Chollet F. Xception: deep learning with depthwise separable convolutions. "
    "CVPR 2017.",
    "he2016": "He K, Zhang X, Ren S, Sun J. Identity mappings in deep residual networks. "
    "ECCV 2016.",
    "howard2019": "Howard A, Sandler M, Chu G, et al. Searching for MobileNetV3. ICCV 2019.",
    "huang2017": "Huang G, Liu Z, van der Maaten L, Weinberger KQ. Densely connected "
    "convolutional networks. CVPR 2017.",
    "liu2022": "Liu Z, Mao H, Wu CY, et al. A ConvNet for the 2020s. CVPR 2022.",
    "sandler2018": "Sandler M, Howard A, Zhu M, et al. MobileNetV2: inverted residuals and "
    "linear bottlenecks. CVPR 2018.",
    "szegedy2016": "Szegedy C, Vanhoucke V, Ioffe S, et al. Rethinking the Inception "
    "architecture for computer vision. CVPR 2016.",
    "szegedy2017": "Szegedy C, Ioffe S, Vanhoucke V, Alemi A. Inception-v4, Inception-ResNet "
    "and the impact of residual connections on learning. AAAI 2017.",
    "tan2021": "Tan M, Le QV. EfficientNetV2: smaller models and faster training. ICML 2021.",
    "zoph2018": "Zoph B, Vasudevan V, Shlens J, Le QV. Learning transferable architectures "
    "for scalable image recognition. CVPR 2018.",
}
