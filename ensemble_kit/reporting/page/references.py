"""The papers the page refers to."""

from ensemble_kit.models.papers import PAPERS

REFERENCES = PAPERS | {
    "blasiok2024": "Błasiok J, Nakkiran P. Smooth ECE: principled reliability diagrams via kernel "
    "smoothing. ICLR 2024.",
    "brier1950": "Brier GW. Verification of forecasts expressed in terms of probability. Monthly "
    "Weather Review 1950;78:1–3.",
    "brodersen2010": "Brodersen KH, Ong CS, Stephan KE, Buhmann JM. The balanced accuracy and its "
    "posterior distribution. ICPR 2010.",
    "caruana2004": "Caruana R, Niculescu-Mizil A, Crew G, Ksikes A. Ensemble selection from "
    "libraries of models. ICML 2004.",
    "cohen1960": "Cohen J. A coefficient of agreement for nominal scales. Educational and "
    "Psychological Measurement 1960;20:37–46.",
    "collins2024": "Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement. BMJ "
    "2024;385:e078378.",
    "davis2006": "Davis J, Goadrich M. The relationship between precision-recall and ROC curves. "
    "ICML 2006.",
    "efron1986": "Efron B. How biased is the apparent error rate of a prediction rule? JASA "
    "1986;81:461–470.",
    "field2007": "Field CA, Welsh AH. Bootstrapping clustered data. JRSS B 2007;69:369–390.",
    "gorodkin2004": "Gorodkin J. Comparing two K-category assignments by a K-category correlation "
    "coefficient. Computational Biology and Chemistry 2004;28:367–374.",
    "guo2017": "Guo C, Pleiss G, Sun Y, Weinberger KQ. On calibration of modern neural networks. "
    "ICML 2017.",
    "hand2001": "Hand DJ, Till RJ. A simple generalisation of the area under the ROC curve for "
    "multiple class classification problems. Machine Learning 2001;45:171–186.",
    "hanley1982": "Hanley JA, McNeil BJ. The meaning and use of the area under a receiver "
    "operating characteristic (ROC) curve. Radiology 1982;143:29–36.",
    "holm1979": "Holm S. A simple sequentially rejective multiple test procedure. Scandinavian "
    "Journal of Statistics 1979;6:65–70.",
    "kull2019": "Kull M, Perello-Nieto M, Kängsepp M, et al. Beyond temperature scaling: obtaining "
    "well-calibrated multi-class probabilities with Dirichlet calibration. NeurIPS 2019.",
    "kuncheva2003": "Kuncheva LI, Whitaker CJ. Measures of diversity in classifier ensembles. "
    "Machine Learning 2003;51:181–207.",
    "kurtansky2024": "Kurtansky NR, D'Alessandro BM, Gillis MC, et al. The SLICE-3D dataset: "
    "400,000 skin lesion image crops extracted from 3D TBP for skin cancer detection. Scientific "
    "Data 2024;11:884.",
    "murphy1973": "Murphy AH. A new vector partition of the probability score. Journal of Applied "
    "Meteorology 1973;12:595–600.",
    "nixon2019": "Nixon J, Dusenberry MW, Zhang L, et al. Measuring calibration in deep learning. "
    "CVPR Workshops 2019.",
    "northcutt2021": "Northcutt C, Jiang L, Chuang I. Confident learning: estimating uncertainty "
    "in dataset labels. JAIR 2021;70:1373–1411.",
    "selvaraju2017": "Selvaraju RR, Cogswell M, Das A, et al. Grad-CAM: visual explanations from "
    "deep networks via gradient-based localization. ICCV 2017.",
    "tejani2024": "Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for Artificial Intelligence "
    "in Medical Imaging (CLAIM): 2024 update. Radiology: Artificial Intelligence 2024;6:e240300.",
    "tschandl2018": "Tschandl P, Rosendahl C, Kittler H. The HAM10000 dataset, a large collection "
    "of multi-source dermatoscopic images of common pigmented skin lesions. Scientific Data "
    "2018;5:180161.",
    "vancalster2019": "Van Calster B, McLernon DJ, van Smeden M, et al. Calibration: the Achilles "
    "heel of predictive analytics. BMC Medicine 2019;17:230.",
    "vickers2006": "Vickers AJ, Elkin EB. Decision curve analysis. Medical Decision Making "
    "2006;26:565–574.",
    "vovk2005": "Vovk V, Gammerman A, Shafer G. Algorithmic learning in a random world. Springer "
    "2005.",
    "zou2008": "Zou GY, Donner A. Construction of confidence limits about effect measures. "
    "Statistics in Medicine 2008;27:1693–1702.",
}
