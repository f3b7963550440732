"""Keeps one command running: started as a script of its own with nothing of windlass imported, to stay small.

    python -I -S supervisor.py PID_FILE LOG_FILE COMMAND...

Holds a lock on PID_FILE, so that there is one per home and its death is seen at once. Starts the command again
whenever it ends, later each time when it ends early. SIGTERM: ends the command, then itself.
"""

import fcntl
import os
import signal
import sys
import time

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
STEADY_S = 30.0
GRACE_S = 8.0
_WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_ENDING = (signal.SIGTERM, signal.SIGINT)


def main(pid_file: str, log_file: str, command: list[str]) -> int:
    """Runs until it is told to end; at once when another one holds the lock."""
    lock = os.open(pid_file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 0
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    os.ftruncate(lock, 0)
    os.write(lock, b"%d\n" % os.getpid())
    os.chdir("/")
    _redirect(log_file)
    return _keep_running(command)


def _keep_running(command: list[str]) -> int:
    pause_s = FIRST_PAUSE_S
    while True:
        began = time.monotonic()
        child = os.posix_spawn(command[0], command, os.environ, setsigmask=())
        if not _wait_for_end(child):
            _end(child)
            return 0
        pause_s = FIRST_PAUSE_S if time.monotonic() - began > STEADY_S else min(LONGEST_PAUSE_S, pause_s * 2)
        if _told_to_end(pause_s):
            return 0


def _wait_for_end(child: int) -> bool:
    """True when the child ended by itself, False when we are told to end."""
    while True:
        if signal.sigwait(_WATCHED) in _ENDING:
            return False
        if _has_ended(child):
            return True


def _has_ended(child: int) -> bool:
    found, status = os.waitpid(child, os.WNOHANG)
    if found:
        told = f"supervisor: process {child} ended with {os.waitstatus_to_exitcode(status)}\n"
        os.write(2, told.encode())
    return bool(found)


def _told_to_end(within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while (rest := deadline - time.monotonic()) > 0:
        found = signal.sigtimedwait(_WATCHED, rest)
        if found is not None and found.si_signo in _ENDING:
            return True
    return False


def _end(child: int) -> None:
    os.kill(child, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while not _has_ended(child):
        rest = deadline - time.monotonic()
        if rest <= 0:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return
        signal.sigtimedwait((signal.SIGCHLD,), rest)


def _redirect(log_file: str) -> None:
    log = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
