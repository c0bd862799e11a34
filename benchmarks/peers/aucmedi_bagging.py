"""A second peer: one fold of AUCMEDI's k-fold bagging with Xception, timed.

    python -m venv /tmp/aucmedi && /tmp/aucmedi/bin/pip install aucmedi
    /tmp/aucmedi/bin/python benchmarks/peers/aucmedi_bagging.py --folds-csv RUN/folds.csv
        --images DATA/images [--size 150] [--epochs 5 5] [--measured 2]

Runs in an environment of its own. What `aucmedi.ensemble.Bagging` does for each fold in a process:
a network, generators of the training and validation part, training with a frozen base, then of
everything, then prediction. Folds are those of a run of ours. Epochs of a phase are alike: with
``--measured 2`` two are run and the last stands for the rest. Weights are random, which costs the
same. Prints seconds of a fold and of all folds as JSON.
"""

import argparse
import csv
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folds-csv", required=True)
    parser.add_argument("--images", required=True)
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--epochs", type=int, nargs=2, default=(5, 5))
    parser.add_argument("--measured", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    began = time.perf_counter()

    import keras
    import numpy as np
    from aucmedi import DataGenerator, NeuralNetwork

    with Path(options.folds_csv).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted({row["label"] for row in rows})
    fold = np.array([int(row["fold"]) for row in rows])
    ids = np.array([row["image"] for row in rows])
    labels = np.eye(len(names))[[names.index(row["label"]) for row in rows]]

    class Stopwatch(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seconds = []

        def on_epoch_begin(self, epoch, logs=None):
            self.began = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds.append(time.perf_counter() - self.began)

    model = NeuralNetwork(
        n_labels=len(names), channels=3, architecture="2D.Xception",
        input_shape=(options.size, options.size), pretrained_weights=False, metrics=["accuracy"],
    )  # fmt: skip

    def generator(part, *, train):
        return DataGenerator(
            list(ids[part]), options.images, labels=labels[part], image_format="jpg",
            resize=model.meta_input, standardize_mode=model.meta_standardize,
            batch_size=options.batch, shuffle=train, workers=2,
        )  # fmt: skip

    head, whole = (min(epochs, options.measured) for epochs in options.epochs)
    model.tf_epochs = head
    watch = Stopwatch()
    train, held = fold != 0, fold == 0
    model.train(
        generator(train, train=True), generator(held, train=False), epochs=head + whole,
        callbacks=[watch], transfer_learning=True,
    )  # fmt: skip
    model.predict(generator(held, train=False))
    run = time.perf_counter() - began
    unrun = (options.epochs[0] - head) * watch.seconds[head - 1]
    unrun += (options.epochs[1] - whole) * watch.seconds[-1]
    folds = len(set(fold.tolist()))
    print(json.dumps({"fold": run + unrun, "all": folds * (run + unrun), "epochs": watch.seconds}))


if __name__ == "__main__":
    main()
