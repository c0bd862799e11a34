"""A Ctrl-C that Python would drop is raised at the next step."""

import gc
import signal

import pytest

from ensemble_kit.cli.interruption import Interruption


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_lost_interrupt_is_raised_again_and_the_handler_given_back():
    class Closing:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        interruption.check()
        thing = Closing()
        del thing
        gc.collect()
        with pytest.raises(KeyboardInterrupt):
            interruption.check()
    assert signal.getsignal(signal.SIGINT) is before


def test_an_ordinary_one_is_raised_at_once():
    with Interruption(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
