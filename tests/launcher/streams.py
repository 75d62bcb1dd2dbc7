# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""The guest's serial line on pipes and files, and signals to a run without a terminal."""
import fcntl
import os
import signal
import subprocess
import time
import unittest

from machine import PROMPT, LauncherTest, numbered_lines, read_to_end, read_until, run_arguments, run_guest

F_SETPIPE_SZ = 1031


def shell(redirections):
    """Runs a command with redirections that subprocess does not offer."""
    return lambda arguments: ["sh", "-c", f'exec "$@" {redirections}', "sh", *arguments]


class Output(LauncherTest):
    def test_all_of_it_in_a_pipe(self):
        done = run_guest("n")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, numbered_lines(20000), b""))

    def test_all_of_it_in_a_file(self):
        path = self.folder / "output"
        with path.open("wb") as file:
            self.assertEqual(self.started("n", stdin=subprocess.DEVNULL, stdout=file).wait(30), 0)
        self.assertEqual(path.read_bytes(), numbered_lines(20000))

    def test_nothing_is_lost_when_the_reader_is_slow(self):
        process = self.started("n")
        fcntl.fcntl(process.stdout, F_SETPIPE_SZ, 4096)
        time.sleep(1)  # every buffer is full by now
        self.assertIsNone(process.poll())
        self.assertEqual(read_to_end(process.stdout.fileno(), 1000, 0.001), numbered_lines(20000))
        self.assert_status(process, 0)

    def test_a_guest_that_sleeps_until_there_is_room_is_woken(self):
        process = self.started("i")
        fcntl.fcntl(process.stdout, F_SETPIPE_SZ, 4096)
        time.sleep(0.5)
        data = read_to_end(process.stdout.fileno(), 20000, 0)
        self.assertEqual(data, bytes(ord("A") + i % 26 for i in range(100000)))
        self.assert_status(process, 0)

    def test_a_reader_that_goes_ends_the_run(self):
        process = self.started("f")
        read_until(process.stdout.fileno(), b"line 00000100\n")
        process.stdout.close()
        process.stdout = None
        self.assert_status(process, 128 + signal.SIGPIPE)
        self.assert_one_line(process.stderr.read(), "cannot write the guest's output")

    def test_a_part_of_a_line_is_shown(self):
        process = self.started("e")
        read_until(process.stdout.fileno(), b"ready\n")
        process.stdin.write(b"prompt> ")
        self.assertEqual(read_until(process.stdout.fileno(), b"> "), b"prompt> ")


class Input(LauncherTest):
    def test_echo(self):
        done = run_guest("e", input=b"hello\r\n\0\xff\x01\x01q")
        self.assertEqual((done.returncode, done.stdout), (5, b"ready\nhello\r\n\0\xff\x01"))

    def test_more_than_fits_anywhere(self):
        data = bytes(i % 64 + 32 for i in range(300_000))
        done = run_guest("e", input=data + b"q")
        self.assertEqual((done.returncode, done.stdout == b"ready\n" + data), (5, True))

    def test_a_guest_that_answers_nothing_gets_all_of_it(self):
        self.assertEqual(run_guest("c", input=b"." * 300_000 + b"q").returncode, 5)

    def test_a_guest_that_sleeps_is_woken(self):
        process = self.started("w")
        read_until(process.stdout.fileno(), b"ready\n")
        for i in range(200):
            word = b"%d;" % i
            process.stdin.write(word)
            self.assertEqual(read_until(process.stdout.fileno(), b";", PROMPT), word)
            time.sleep(i % 10 / 1000)
        process.stdin.write(b"q")
        self.assert_status(process, 5)

    def test_the_end_of_input_does_not_end_the_guest(self):
        process = self.started("e")
        process.stdin.write(b"last words")
        process.stdin.close()
        process.stdin = None
        read_until(process.stdout.fileno(), b"last words")
        time.sleep(0.5)
        self.assertIsNone(process.poll())


class ClosedDescriptors(LauncherTest):
    """A descriptor that is closed at the start must not come to mean guest memory, or anything else of ours."""

    def run_with(self, redirections, action):
        return subprocess.run(shell(redirections)(run_arguments(action)), capture_output=True, timeout=30)

    def test_input(self):
        done = self.run_with("<&-", "n")
        self.assertEqual((done.returncode, done.stdout), (0, numbered_lines(20000)))

    def test_output(self):
        for redirections in (">&-", "<&- >&-"):
            done = self.run_with(redirections, "n")
            self.assertEqual((done.returncode, done.stderr), (0, b""), redirections)

    def test_errors(self):
        self.assertEqual(self.run_with("2>&-", "n").stdout, numbered_lines(20000))
        self.assertEqual(self.run_with("2>&-", "t").returncode, 3)

    def test_all(self):
        self.assertEqual(self.run_with("<&- >&- 2>&-", "x").returncode, 42)


class Signals(LauncherTest):
    ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

    def test_they_end_the_run_in_every_state(self):
        for number in self.ENDING:
            for action in ("l", "z"):
                process = self.started(action)
                read_until(process.stdout.fileno(), b"looping\n")
                time.sleep(0.02)
                process.send_signal(number)
                self.assert_status(process, 128 + number)
                self.assert_one_line(process.stderr.read(), number.name)

    def test_they_end_a_run_whose_reader_does_not_read(self):
        for number in self.ENDING:
            process = self.started("f")
            time.sleep(0.3)
            process.send_signal(number)
            self.assert_status(process, 128 + number)

    def test_at_any_moment_of_the_start(self):
        for delay in range(0, 40, 2):
            process = self.started("l")
            time.sleep(delay / 1000)
            process.terminate()
            status = process.wait(PROMPT)
            # Before the signals are taken over the default action ends the process.
            self.assertIn(status, (128 + signal.SIGTERM, -signal.SIGTERM), f"after {delay} ms")

    def test_ignored_ones_stay_ignored(self):
        """As under nohup, or in the background of a script."""
        for number in (signal.SIGHUP, signal.SIGINT):
            process = self.started("e", preexec_fn=lambda: signal.signal(number, signal.SIG_IGN))
            read_until(process.stdout.fileno(), b"ready\n")
            process.send_signal(number)
            time.sleep(0.3)
            process.stdin.write(b"still here")
            read_until(process.stdout.fileno(), b"still here")
            process.stdin.write(b"q")
            self.assert_status(process, 5)

    def test_stop_and_continue(self):
        process = self.started("e")
        read_until(process.stdout.fileno(), b"ready\n")
        for number in (signal.SIGSTOP, signal.SIGTSTP):
            process.send_signal(number)
            time.sleep(0.3)
            process.stdin.write(b"and on")
            self.assertEqual(read_state(process.pid), "T", number)
            process.send_signal(signal.SIGCONT)
            read_until(process.stdout.fileno(), b"and on")
        process.stdin.write(b"q")
        self.assert_status(process, 5)


class Idle(LauncherTest):
    def test_a_halted_guest_takes_next_to_no_time(self):
        process = self.started("z")
        read_until(process.stdout.fileno(), b"looping\n")
        time.sleep(0.2)
        before = cpu_seconds(process.pid)
        time.sleep(2)
        self.assertLess(cpu_seconds(process.pid) - before, 0.04)

    def test_so_does_a_guest_that_waits_for_a_reader(self):
        process = self.started("f")
        time.sleep(1)
        before = cpu_seconds(process.pid)
        time.sleep(1)
        # The guest polls its UART for room: it runs, and the launcher's thread must not run as well.
        self.assertLess(cpu_seconds(process.pid) - before, 1.2)


def read_state(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    unittest.main()
