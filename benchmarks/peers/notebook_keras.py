"""The peer of benchmarks/cross_validation.py: what a user writes from the reference study.

Per fold: a tf.data pipeline that decodes and resizes in every epoch, the frozen base inside the
graph, `model.fit` of the head, then the last blocks unfrozen and `model.fit` again. Prints
seconds as JSON: of the imports, and of each fold. Epochs of a phase are alike: with
``--measured 2`` two of them are run and the last stands for the rest.
"""

import argparse
import json
import os
import pathlib
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folds-csv", required=True, help="a run's folds.csv")
    parser.add_argument("--images", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--epochs", type=int, nargs=2, default=(5, 5))
    parser.add_argument("--folds", type=int, default=5, help="how many of the folds to train")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--precision", default="float32", help="float32 or mixed_bfloat16")
    parser.add_argument(
        "--search",
        action="store_true",
        help="as for a trial: no validation in training, no model saved",
    )
    parser.add_argument("--measured", type=int, default=5, help="epochs of a phase really run")
    options = parser.parse_args()
    began = time.perf_counter()

    import keras
    import numpy as np
    import pandas as pd
    import tensorflow as tf

    keras.config.set_dtype_policy(options.precision)
    frame = pd.read_csv(options.folds_csv)
    names = sorted(frame["label"].unique())
    labels = np.eye(len(names), dtype=np.float32)[[names.index(x) for x in frame["label"]]]
    files = np.array([f"{options.images}/{name}.jpg" for name in frame["image"]])

    def decode(file, label):
        image = tf.image.decode_jpeg(tf.io.read_file(file), channels=3)
        image = tf.image.resize(image, (options.size, options.size))
        return keras.applications.xception.preprocess_input(image), label

    def dataset(rows, train):
        data = tf.data.Dataset.from_tensor_slices((files[rows], labels[rows]))
        if train:
            data = data.shuffle(len(rows))
        data = data.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
        return data.batch(options.batch).prefetch(tf.data.AUTOTUNE)

    class Stopwatch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.began = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.last = time.perf_counter() - self.began

    def fit(model, train_data, held_data, epochs):
        """Train; returns the seconds of the epochs that were not run."""
        watch, run = Stopwatch(), min(epochs, options.measured)
        judged = None if options.search else held_data
        model.fit(train_data, validation_data=judged, epochs=run, verbose=0, callbacks=[watch])
        return (epochs - run) * watch.last

    seconds = {"import": time.perf_counter() - began, "folds": []}
    for fold in range(options.folds):
        start = time.perf_counter()
        keras.backend.clear_session()
        train = np.flatnonzero(frame["fold"] != fold)
        held = np.flatnonzero(frame["fold"] == fold)
        base = keras.applications.Xception(
            include_top=False, weights=options.weights,
            input_shape=(options.size, options.size, 3), pooling="avg",
        )  # fmt: skip
        base.trainable = False
        features = keras.layers.Dropout(0.3)(base.output)
        output = keras.layers.Dense(len(names), activation="softmax", dtype="float32")(features)
        model = keras.Model(base.input, output)
        loss = "categorical_crossentropy"
        model.compile(keras.optimizers.AdamW(1e-3), loss=loss, metrics=["accuracy"])
        train_data, held_data = dataset(train, True), dataset(held, False)
        unrun = fit(model, train_data, held_data, options.epochs[0])
        if options.depth and options.epochs[1]:
            first = 14 - options.depth + 1
            reached = False
            for layer in base.layers:
                reached = reached or layer.name.startswith(f"block{first}_")
                learns = reached and not isinstance(layer, keras.layers.BatchNormalization)
                layer.trainable = learns
            model.compile(keras.optimizers.AdamW(1e-4), loss=loss, metrics=["accuracy"])
        if options.epochs[1]:
            unrun += fit(model, train_data, held_data, options.epochs[1])
        model.predict(held_data, verbose=0)
        if not options.search:
            with tempfile.TemporaryDirectory() as folder:
                model.save(pathlib.Path(folder) / "model.keras")
        seconds["folds"].append(time.perf_counter() - start + unrun)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
