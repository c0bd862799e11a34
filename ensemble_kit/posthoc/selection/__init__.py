"""Selection → weights → calibration → prior → decision → prediction sets, as one fit."""
