"""The sandbox: what a command can do there, and that nothing it does gets out.

The programs that try to escape are written for the host's own python3 in /usr; each test first shows, in the sandbox
or on the host, that the attempt would be seen if it worked.
"""

import base64
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from murk.envs.errors import UsageError
from murk.envs.records import Call, Completed, Run
from murk.envs.sandbox import Sandbox, SandboxLimits, box, root, seccomp
from murk.envs.sandbox.files import pack
from murk.envs.sandbox.limits import INODES
from murk.envs.sandbox.users import process_limit
from murk.envs.sandbox.watch import Tail
from murk.envs.shell import RecordedShell, Shell
from murk.envs.tools import profile
from murk.envs.tools.shell import ShellTool
from murk.envs.workspace import MAX_DEPTH, MAX_PATH, Workspace

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    try:
        return Sandbox()
    except UsageError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def proven(sandbox: Sandbox) -> Sandbox:
    """A small sandbox whose limit on processes is shown to bind, before anything floods it."""
    small = Sandbox(SandboxLimits(processes=32, memory=256 << 20, disk_bytes=32 << 20, file_bytes=16 << 20))
    assert 16 <= small.check_process_limit() <= 32
    return small


def out(sandbox: Sandbox, command: str, files: dict[str, bytes] | None = None, timeout: float = 20) -> str:
    done = sandbox.run(command, files or {}, timeout)
    return done.stdout + done.stderr


def python(sandbox: Sandbox, code: str, timeout: float = 20) -> Completed:
    return sandbox.run("python3 probe.py", {"probe.py": code.encode()}, timeout)


def written(done: Completed) -> dict[str, bytes | None]:
    return {path: None if text is None else base64.b64decode(text) for path, text in done.changes}


# What a command can do.


def test_changes_are_read_back(sandbox: Sandbox) -> None:
    files = {"keep.txt": b"same", "edit.txt": b"old", "gone.txt": b"x", "a/b/c.bin": bytes(range(256))}
    command = """cat a/b/c.bin > copy.bin; echo new > edit.txt; rm gone.txt; touch keep.txt
        mkdir -p d/e empty; echo hi > 'd/e/ä ö.txt'"""
    done = sandbox.run(command, files, 20)
    assert (done.exit_code, done.stdout, done.stderr, done.notes, done.cost) == (0, "", "", (), 2.0)
    assert list(written(done)) == sorted(written(done))
    assert written(done) == {
        "copy.bin": bytes(range(256)),
        "d/e/ä ö.txt": b"hi\n",
        "edit.txt": b"new\n",
        "gone.txt": None,
    }


def test_two_hundred_files_go_in_and_out(sandbox: Sandbox) -> None:
    files = {f"in/{i:03}.txt": f"{i}".encode() for i in range(200)}
    done = sandbox.run("mkdir out; for f in in/*; do cp $f out/; done; rm -r in", files, 30)
    assert written(done) == {f"out/{i:03}.txt": f"{i}".encode() for i in range(200)} | dict.fromkeys(files)


@pytest.mark.parametrize(
    ("command", "code", "stdout", "stderr"),
    [
        ("exit 3", 3, "", ""),
        ("false", 1, "", ""),
        ("exec sh -c 'echo replaced; exit 7'", 7, "replaced\n", ""),
        ("kill -9 $$", 137, "", ""),
        ("no-such-program", 127, "", "no-such-program: command not found"),
        ("echo 'unclosed", 2, "", "unexpected EOF"),
        ('"; echo out; "', 127, "", "; echo out; : command not found"),
        ("'; echo out; \"", 2, "", "unexpected EOF"),
        ("cat <<EOF\nhello $((1+1)) 'quote\nEOF", 0, "hello 2 'quote\n", ""),
        ("cat <<EOF\nnever ended", 0, "never ended\n", "here-document"),
        ("cat; read -r x; echo [$x]", 0, "[]\n", ""),
        ("sleep 30 & echo started", 0, "started\n", ""),
        ("--version", 127, "", "--version: command not found"),
        ("-x", 127, "", "-x: command not found"),
        ("echo out; echo err >&2", 0, "out\n", "err\n"),
        ("echo a\necho b", 0, "a\nb\n", ""),
        ("ulimit -u 999 || echo kept", 0, "kept\n", "ulimit"),
        ("", 0, "", ""),
    ],
)
def test_commands(sandbox: Sandbox, command: str, code: int, stdout: str, stderr: str) -> None:
    done = sandbox.run(command, {}, 20)
    assert (done.exit_code, done.stdout) == (code, stdout)
    assert stderr in done.stderr if stderr else done.stderr == ""


def test_folder_and_variables(sandbox: Sandbox) -> None:
    files = {"sub/x.txt": b"", "run.sh": b"#!/bin/sh\necho ran"}
    done = sandbox.run("pwd; ls; echo $A $B; ../run.sh", files, 20, cwd="sub", env=[("A", "1 2"), ("B", "$(id) '\"")])
    assert done.stdout == "/workspace/sub\nx.txt\n1 2 $(id) '\"\nran\n"
    assert "No such file" in sandbox.run("echo not reached", {}, 20, cwd="nowhere").stderr
    # A variable that bash itself obeys must not reach what runs before the limits are set.
    trick = sandbox.run("ulimit -u", {"t.sh": b"ulimit() { :; }\n"}, 20, env=[("BASH_ENV", "/workspace/t.sh")])
    assert trick.stdout == ""
    assert sandbox.run("builtin ulimit -u", {}, 20).stdout.strip() == str(process_limit(64, 1))


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../x", "", "a//b", "a/", "./a", "a\0b", "\ud800", "x" * 256])
def test_odd_paths_are_the_callers_bug(sandbox: Sandbox, path: str) -> None:
    with pytest.raises(ValueError, match=r"path"):
        sandbox.run("true", {path: b""}, 1)
    with pytest.raises(ValueError, match=r"path"):
        sandbox.run("true", {}, 1, cwd=path)


def test_other_bugs_of_the_caller(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="both a file and a folder"):
        sandbox.run("true", {"a": b"", "a/b": b""}, 1)
    for name in ("", "1A", "A=B", "A B", "-i"):
        with pytest.raises(ValueError, match="variable"):
            sandbox.run("true", {}, 1, env=[(name, "")])
    for timeout in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="timeout"):
            sandbox.run("true", {}, timeout)
    with pytest.raises(ValueError, match="processes"):
        SandboxLimits(processes=0)


@pytest.mark.parametrize("command", ["echo a\0b", "echo " + "x" * 1_000_000, "# " + "ä" * 70_000])
def test_what_is_no_command_at_all_is_told(sandbox: Sandbox, command: str) -> None:
    done = sandbox.run(command, {}, 20)
    assert done.exit_code == 126
    assert done.stderr.startswith("murk: a command ")


def test_longest_command_runs(sandbox: Sandbox) -> None:
    assert sandbox.run("echo ok #" + "x" * 131_062, {}, 20).stdout == "ok\n"
    assert sandbox.run("echo \ud800", {}, 20).stdout == "?\n"


def test_output_is_text_and_bounded(sandbox: Sandbox) -> None:
    assert sandbox.run(r"printf 'a\xff\xfeb\x00c'", {}, 20).stdout == "a\ufffd\ufffdb\0c"
    done = sandbox.run("seq 100000; echo short >&2", {}, 20)
    assert len(done.stdout) == 10_240
    assert done.stdout.endswith("99999\n100000\n")
    assert done.stderr == "short\n"
    assert done.notes == ("only the last 10240 characters of stdout are shown",)


@pytest.mark.parametrize("data", ["aé漢😀" * 50, "x" * 5, "", "😀" * 10])
@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_tail_is_the_tail_of_the_text(data: str, chunk: int) -> None:
    tail, raw = Tail(10), data.encode()
    for i in range(0, len(raw), chunk):
        tail.feed(raw[i : i + chunk])
    assert tail.text() == data[-10:]
    assert tail.cut == (len(data) > 10)


def test_time_limit(sandbox: Sandbox) -> None:
    start = time.monotonic()
    done = sandbox.run("echo begun; echo 1 > file; trap '' TERM INT; sleep 60; echo never", {}, 0.5)
    assert time.monotonic() - start < 5
    assert (done.exit_code, done.stdout, done.cost) == (124, "begun\n", 0.5)
    assert written(done) == {"file": b"1\n"}
    assert done.notes == ("killed: over the time limit of 0.5 s",)
    assert Sandbox(SandboxLimits(seconds=0.2)).run("while :; do :; done", {}, 60).cost == 0.2


# Nothing differs between two runs.


def test_two_runs_are_the_same(sandbox: Sandbox) -> None:
    command = """hostname; whoami; id; pwd; echo $$ $BASHPID $PPID; env | sort; date -d @0; ls -la; ls -A /
        ls -lan /etc; echo $RANDOM $RANDOM; bash -c 'echo $RANDOM'; sleep 0.01 & echo $!
        python3 -c 'print({"a", "b", "c"}, hash("x"))'
        cat /proc/self/limits; stat -c %Y . a b/c; umask; ls /dev /proc/self/fd"""
    files = {"a": b"1", "b/c": b"2"}
    first = sandbox.run(command, files, 20)
    time.sleep(1.1)
    other = Sandbox().run(command, dict(reversed(files.items())), 20)
    lines = first.stdout.splitlines()
    assert lines[:5] == ["murk", "agent", "uid=1000(agent) gid=1000(agent) groups=1000(agent)", "/workspace", "2 2 1"]
    assert first == other
    assert first.stderr == ""
    assert pack(files) == pack(dict(reversed(files.items())))


def test_nothing_of_the_hosts_environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MURK_SECRET", "hunter2")
    with open(ROOT / "README.md") as held:
        os.set_inheritable(held.fileno(), True)
        text = out(sandbox, "env; cat /proc/*/environ; cat /proc/*/cmdline; ls -l /proc/self/fd /proc/1/cwd")
    assert "BASH_ENV" in text
    assert "hunter2" not in text
    for name in (str(ROOT), "pytest", ".venv", "README", "--info-fd", os.environ["PATH"]):
        assert name not in text


# Attempts to get out.


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        yield server


def test_no_network(sandbox: Sandbox, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)):  # the listener does listen
        listener.accept()[0].close()
    code = f"""
import socket
for family, address in ((2, ("127.0.0.1", {port})), (2, ("8.8.8.8", 53)), (10, ("::1", {port}))):
    try: socket.create_connection(address, 1); print("reached", address)
    except OSError as error: print("no", error.errno)
try: print("reached", socket.getaddrinfo("example.com", 80))
except OSError: print("no name")
print([name for _, name in socket.if_nameindex()])
"""
    done = python(sandbox, code)
    assert "reached" not in done.stdout
    assert done.stdout.splitlines()[-2:] == ["no name", "['lo']"]
    with pytest.raises(TimeoutError):
        listener.accept()


def test_abstract_sockets_of_the_host_are_out_of_reach(sandbox: Sandbox) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0murk-test")
        server.listen()
        done = python(sandbox, "import socket; socket.socket(1).connect('\\0murk-test'); print('reached')")
    assert "ConnectionRefused" in done.stderr


def test_no_file_of_the_host(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2")
    paths = [secret, ROOT, "/etc/shadow", "/root", "/home", "/var", "/run", "/sys", "/work", "/opt", "/boot", "/mnt"]
    listing = out(sandbox, "; ".join(f"ls -d {path} && echo SEEN" for path in paths))
    assert "SEEN" not in listing
    assert listing.count("No such file") == len(paths)
    assert out(sandbox, "ls / /etc /tmp").split() == (
        ["/:", *sorted({"dev", "etc", "proc", "tmp", "usr", "workspace"} | top()), "/etc:"]
        + sorted({"alternatives", "group", "hosts", "ld.so.cache", "passwd", "seed.sh"} & etc())
        + ["/tmp:"]
    )
    assert "hunter2" not in out(sandbox, f"cat {secret} /proc/1/root{secret} /proc/self/root{secret} ../..{secret}")


def top() -> set[str]:
    return {name for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32") if Path("/", name).exists()}


def etc() -> set[str]:
    return {"group", "hosts", "passwd", "seed.sh"} | {path.name for path in Path("/etc").iterdir()}


def test_only_its_own_processes(sandbox: Sandbox) -> None:
    assert out(sandbox, "echo /proc/[0-9]*").split() == ["/proc/1", "/proc/2"]
    for secret in ("/proc/kcore", "/proc/kmsg", "/proc/1/mem", "/dev/kmsg", "/dev/mem", "/dev/vda", "/dev/sda"):
        assert out(sandbox, f"head -c 9 {secret} >/dev/null 2>&1 && echo READ") == "", secret
    assert (
        out(sandbox, "echo 1 > /proc/sys/kernel/sysrq && echo WROTE; echo b > /proc/sysrq-trigger && echo WROTE").count(
            "WROTE"
        )
        == 0
    )


def test_system_is_read_only(sandbox: Sandbox) -> None:
    for folder in ("/", "/usr", "/usr/bin", "/etc", "/dev", "/proc", "/dev/pts"):
        assert out(sandbox, f"touch {folder}/x 2>/dev/null && echo WROTE") == "", folder
    for folder in ("/tmp", "/dev/shm", "/workspace"):
        assert out(sandbox, f"touch {folder}/x && echo WROTE") == "WROTE\n", folder
    assert sandbox.run("cp /bin/true /etc/passwd 2>/dev/null", {}, 20).exit_code == 1


def test_links_and_devices_are_not_read_back(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2")
    command = f"""ln -s {secret} link; ln -s /etc/passwd passwd; ln -s / top; ln -sf {secret} was.txt; mkfifo fifo
        ln /etc/passwd hard; ln /usr/bin/env hard2; mknod device c 1 5; mknod disk b 8 0
        echo real > real.txt; ln real.txt twin.txt
        python3 -c 'import socket; socket.socket(1).bind("sock")'; python3 -c 'open(b"bad\\xff", "w")'"""
    done = sandbox.run(command, {"was.txt": b"before", "dir/x": b"y"}, 20)
    assert written(done) == {"real.txt": b"real\n", "twin.txt": b"real\n", "was.txt": None}
    assert done.notes == (
        "bad\\xff was not kept: its name is no text in UTF-8",
        "fifo was not kept: a named pipe",
        "link was not kept: a symbolic link",
        "passwd was not kept: a symbolic link",
        "sock was not kept: a socket",
        "top was not kept: a symbolic link",
        "was.txt was not kept: a symbolic link",
    )
    swapped = sandbox.run("rm -r dir; ln -s /etc dir", {"dir/passwd": b"mine"}, 20)
    assert written(swapped) == {"dir/passwd": None}


def test_locked_and_deep_files_are_read_back_or_named(sandbox: Sandbox) -> None:
    command = "mkdir d; echo 1 > d/x; chmod 0 d/x; chmod 0 d; for i in {1..200}; do mkdir n; cd n; done; echo 2 > deep"
    done = sandbox.run(command, {}, 20)
    assert written(done) == {"d/x": b"1\n"}
    assert done.notes == (f"{'n/' * 33}n was not kept: it is deeper than 32 folders",)


def test_workspace_is_bounded_when_read_back() -> None:
    small = Sandbox(SandboxLimits(files=3, disk_bytes=1 << 20, file_bytes=1 << 19, kept_bytes=1 << 20))
    done = small.run("touch b c d e; echo 1 > old", {"old": b"0"}, 20)
    assert written(done) == {"b": b"", "c": b"", "old": b"1\n"}
    assert [note.split()[0] for note in done.notes] == ["d", "e"]
    sparse = small.run("for i in a b c; do truncate -s 400K $i; done; truncate -s 1M d", {}, 20)
    assert written(sparse) == {"a": bytes(400 << 10), "b": bytes(400 << 10), "d": b""}
    assert sparse.exit_code == 128 + signal.SIGXFSZ
    many = small.run("mkfifo f{1..50}", {}, 20)
    assert len(many.notes) == 21
    assert many.notes[-1] == "30 more were not kept"
    assert small.run("true", {"big": bytes(2 << 20)}, 20).exit_code == 126


@pytest.mark.parametrize(
    "command",
    [
        "unshare -U true",
        "unshare -Ur id",
        "unshare -n true",
        "unshare -m true",
        "mount -t tmpfs x /tmp",
        "mount --bind / /tmp",
        "umount /proc",
        "chroot / true",
        "nsenter -t 1 -a true",
        "mknod /tmp/d c 1 3",
        "mknod /tmp/d b 254 0",
        "hostname other",
        "chown 0:0 /tmp",
        "su -c true",
        "renice -n -5 $$",
        "dmesg",
        "sysctl -w kernel.hostname=x",
        "ip link add d type dummy",
    ],
)
def test_no_privileges(sandbox: Sandbox, command: str) -> None:
    done = sandbox.run(f"({command}) >/dev/null 2>&1 && echo DONE", {}, 20)
    assert done.stdout == ""
    status = out(sandbox, "grep -E 'Cap|NoNew|Seccomp:' /proc/self/status").split()
    assert set(status[1::2][:5]) == {"0" * 16}
    assert status[-4:] == ["NoNewPrivs:", "1", "Seccomp:", "2"]


def test_system_calls_that_escape_or_hoard_are_refused(sandbox: Sandbox) -> None:
    code = """
import ctypes, errno, os, fcntl
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, *arguments):
    result = getattr(libc, name)(*arguments)
    print(name, "DONE" if result >= 0 else errno.errorcode[ctypes.get_errno()])
attempt("unshare", 0x10000000)
attempt("clone", 0, 0, 0x10000000 | 17, 0)
attempt("setns", 0, 0)
attempt("shmget", 0, 1 << 20, 0o1600)
attempt("memfd_create", b"x", 0)
attempt("sendfile", 1, 0, 0, 1)
attempt("splice", 0, 0, 1, 0, 1, 0)
attempt("tee", 0, 1, 1, 0)
attempt("vmsplice", 1, 0, 0, 0)
attempt("mount", b"x", b"/tmp", b"tmpfs", 0, 0)
attempt("setuid", 0)
attempt("ptrace", 16, 1, 0, 0)
attempt("kill", 1, 9)
try: fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), 0x5412, b"x"); print("tty DONE")
except OSError as error: print("tty", errno.errorcode[error.errno])
print("end")
"""
    lines = python(sandbox, code).stdout.splitlines()
    assert lines[-1] == "end"
    refused = [line for line in lines if not line.startswith("kill")]  # which Linux ignores, for process 1
    assert not [line for line in refused if "DONE" in line]
    if seccomp.program():
        calls = ("shmget", "memfd_create", "unshare", "ptrace", "sendfile", "splice", "tee", "vmsplice")
        assert {f"{name} ENOSYS" for name in calls} <= set(lines)


def test_signals_stay_inside(sandbox: Sandbox) -> None:
    with subprocess.Popen(["sleep", "60"]) as victim:
        done = sandbox.run(
            f"kill -9 {victim.pid} {os.getpid()} {os.getppid()}; kill -9 -- -1; kill -9 1; echo alive", {}, 20
        )
        assert "alive" in done.stdout
        assert done.stderr.count("No such process") >= 3
        assert victim.poll() is None
        victim.kill()


def test_nothing_is_left_behind(sandbox: Sandbox) -> None:
    """Daemons run for as long as the command, and not after."""
    mark = f"86{os.getpid()}.75"
    daemon = "setsid nohup bash -c 'while :; do echo beat >> beats; sleep 0.02; done' & "
    daemon += f"(sleep {mark} &) ; sleep {mark} & disown"
    done = sandbox.run(f"{daemon}; sleep 0.3; cat beats | wc -l", {}, 20)
    assert int(done.stdout) > 3
    assert not [line for line in commands() if mark in line]
    start = time.monotonic()
    assert sandbox.run("(sleep 30; echo late) & echo done", {}, 20).stdout == "done\n"
    assert time.monotonic() - start < 10


def commands() -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


def test_a_killed_parent_leaves_nothing(sandbox: Sandbox) -> None:
    mark = f"87{os.getpid()}.25"
    code = "from murk.envs.sandbox import Sandbox; box = Sandbox(); print(box.root.path, flush=True); "
    code += f"box.run('setsid sleep {mark} & sleep {mark}', {{}}, 60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        folder = Path(parent.stdout.readline().strip())
        wait_for(lambda: sum(line.startswith(f"sleep {mark}") for line in commands()) == 2)
        parent.send_signal(signal.SIGKILL)
    wait_for(lambda: not [line for line in commands() if mark in line])
    assert folder.name.startswith("murk-")
    shutil.rmtree(folder)


def wait_for(condition: object, seconds: float = 10) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_files_and_descriptors_are_given_back(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    own = Sandbox()
    for command, timeout in (("echo x > f", 20.0), ("sleep 9", 0.1)):
        own.run(command, {"a": b"b"}, timeout)
    monkeypatch.setattr(box, "changes", broken)
    with pytest.raises(ZeroDivisionError):
        own.run("true", {}, 20)
    assert sorted(os.listdir("/proc/self/fd")) == before
    folder = own.root.path
    assert not list((folder / "workspace").iterdir())
    del own
    assert not folder.exists()


def broken(*_: object) -> None:
    raise ZeroDivisionError


def test_one_after_another_and_at_once(sandbox: Sandbox) -> None:
    for i in range(20):
        assert sandbox.run(f"echo {i}; ls", {f"f{i}": b""}, 20).stdout == f"{i}\nf{i}\n"
    barrier = threading.Barrier(8)

    def one(i: int) -> tuple[str, str]:
        barrier.wait()
        done = sandbox.run(
            f"cat f; echo out{i} > f; sleep 0.2; cat f; echo /proc/[0-9]*", {"f": f"in{i}\n".encode()}, 20
        )
        return done.stdout, done.stderr

    with ThreadPoolExecutor(8) as pool:
        for i, (stdout, stderr) in enumerate(pool.map(one, range(8))):
            assert stdout == f"in{i}\nout{i}\n/proc/1 /proc/2\n"
            assert stderr == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_has_it_too(sandbox: Sandbox) -> None:
    code = """
import os, sys
from murk.envs.sandbox import Sandbox
Sandbox().run("true", {}, 20)  # imports what is imported late
os.setgroups([]); os.setgid(65534); os.setuid(65534)
from murk.envs.sandbox.box import _require
_require.cache_clear()
box = Sandbox()
done = box.run("whoami; cat a; mkdir d; echo 1 > d/x; chmod 0 d/x d; cat /etc/shadow", {"a": b"b\\n"}, 20)
print(done.stdout.split(), [path for path, _ in done.changes], box.check_process_limit())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    words = done.stdout.rsplit(maxsplit=1)
    assert words[0] == "['agent', 'b'] ['d/x']"
    assert 32 <= int(words[1]) <= 64


def test_refused_where_it_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    box._require.cache_clear()
    with pytest.raises(UsageError, match=r"bwrap is not installed.*apt-get install bubblewrap"):
        Sandbox()


def test_filter_is_whole() -> None:
    for machine in ("x86_64", "aarch64"):
        assert len(seccomp.program(machine)) % 8 == 0
        assert len(seccomp.program(machine)) > 300
    assert seccomp.program("pdp11") == b""


# Floods and bombs, after the proof that the limit on processes binds.


def test_output_bomb(sandbox: Sandbox) -> None:
    done = sandbox.run("yes | head -c 1000000000; echo never", {}, 30)
    assert done.exit_code == 137
    assert done.notes[0] == "killed: more than 64 MB of output"
    assert set(done.stdout) == {"y", "\n"}
    assert done.cost == 2.0


def test_process_limit_binds(proven: Sandbox) -> None:
    """The fixture holds the proof; beside another sandbox that is full, the count is the same."""
    with ThreadPoolExecutor(2) as pool:
        counts = [future.result() for future in [pool.submit(proven.check_process_limit) for _ in range(2)]]
    assert min(counts) >= 16
    assert max(counts) <= 32


@pytest.mark.skipif(os.geteuid() != 0, reason="the limit binds for everyone but root")
def test_proof_of_the_process_limit_can_fail(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box, "user_of_its_own", lambda: contextlib.nullcontext(None))  # the sandbox runs as root
    with pytest.raises(RuntimeError, match="does not bind: 84 were started"):
        sandbox.check_process_limit()


@pytest.mark.slow
def test_process_flood(proven: Sandbox) -> None:
    start = time.monotonic()
    done = proven.run("f() { f | f & }; f; sleep 60", {}, 3)
    assert done.exit_code in (124, 1, 254)
    assert time.monotonic() - start < 20
    assert proven.run("echo fine", {}, 20).stdout == "fine\n"
    flood = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    assert python(proven, flood, 3).exit_code == 124
    assert out(proven, "echo /proc/[0-9]*").split() == ["/proc/1", "/proc/2"]


@pytest.mark.slow
def test_memory_bombs(proven: Sandbox) -> None:
    assert "MemoryError" in python(proven, "x = bytearray(1 << 30)").stderr
    many = "import os, time\n[os.fork() for _ in range(4)]\nx = bytearray(b'1') * (100 << 20)\ntime.sleep(20)"
    done = python(proven, many)
    assert (done.exit_code, done.notes[0]) == (137, "killed: its processes together took more than 256 MB of memory")
    shared = "import mmap, os, time\n[os.fork() for _ in range(3)]\nm = mmap.mmap(-1, 80 << 20)\n"
    shared += "m.write(b'1' * (80 << 20))\ntime.sleep(20)"
    assert python(proven, shared).exit_code == 137
    assert out(proven, "a=x; while :; do a=$a$a; done").count("cannot allocate") == 1


@pytest.mark.slow
def test_disk_bombs(proven: Sandbox) -> None:
    free = os.statvfs("/tmp").f_bavail
    for folder in ("/tmp", "/workspace", "/dev/shm"):
        done = proven.run(
            f"for i in {{1..20}}; do head -c 15M /dev/zero > {folder}/$i; done; du -sm {folder} | cut -f1", {}, 30
        )
        assert "No space left" in done.stderr
        assert int(done.stdout) <= 65
    assert out(proven, "head -c 17M /dev/zero > x; echo $?").startswith(f"{128 + signal.SIGXFSZ}\n")
    inodes = "import os\nfor i in range(3000000):\n    os.close(os.open(f'/tmp/{i}', os.O_CREAT))"
    done = python(proven, inodes, 60)
    assert (done.exit_code, done.notes[0]) == (137, "killed: more than 20000 files")
    assert abs(os.statvfs("/tmp").f_bavail - free) < 1 << 18


@pytest.mark.slow
def test_leftovers_are_read_back_quickly(proven: Sandbox) -> None:
    done = python(proven, "import os\nfor i in range(18000): os.mkfifo(f'{i}')", 60)
    assert done.exit_code == 0
    assert len(done.notes) == 21
    began = time.monotonic()
    done = proven.run("i=0; while :; do mkdir d$((i++)); mkdir d$i; done", {}, 1.0)
    python(proven, "import os\nfor i in range(100000): os.mkdir(f'{i}')", 1.0)
    assert time.monotonic() - began < 4  # two commands of a second each, with a second to spare for each


@pytest.mark.slow
def test_processor_time_is_limited(sandbox: Sandbox) -> None:
    assert sandbox.run("ulimit -t", {}, 5).stdout == "6\n"
    assert sandbox.run("ulimit -St 1; while :; do :; done", {}, 30).exit_code in (137, 152)


# What an adversary found, and may try again.


def test_huge_files_fill_no_memory_of_the_host(sandbox: Sandbox) -> None:
    began = time.monotonic()
    done = sandbox.run("for i in 1 2 3 4; do truncate -s 64M f$i; done; truncate -s 8M g; echo x >h", {}, 20)
    assert time.monotonic() - began < 2
    assert sorted(written(done)) == ["g", "h"]
    assert done.notes[0] == "f1 was not kept: it has 67108864 bytes; allowed are 8388608"
    limits, workspace = SandboxLimits(), Workspace()
    assert (limits.kept_file_bytes, limits.kept_bytes, limits.files) == (
        *(workspace.file_bytes, workspace.total_bytes),
        workspace.max_files,
    )


def test_renaming_all_files_loses_none(sandbox: Sandbox) -> None:
    workspace = Workspace()
    for i in range(1_500):
        workspace.change(f"z{i}", b"x")
    done = Shell(sandbox, workspace).answer(Run("for f in *; do mv $f a_$f; done"), Call())
    assert isinstance(done, Completed)
    assert sorted(workspace.files) == sorted(f"a_z{i}" for i in range(1_500))
    again = Workspace()
    for i in range(1_500):
        again.change(f"z{i}", b"x")
    RecordedShell([(Run("x").key, done)], again).answer(Run("x"), Call())
    assert again.files == workspace.files


def test_only_what_is_kept_is_recorded(sandbox: Sandbox) -> None:
    workspace = Workspace(file_bytes=10)
    done = Shell(sandbox, workspace).answer(Run("printf 12345678901 >a; echo b >b; echo c >$'c\\nd'"), Call())
    assert isinstance(done, Completed)
    assert [path for path, _ in done.changes] == ["b"]
    assert done.notes == (
        "'c\\nd' was not kept: it has characters that cannot be printed",
        "a was not kept: it has 11 bytes; allowed are 10",
    )
    record = [(Run("x").key, done)]
    other = Workspace(file_bytes=10)
    assert RecordedShell(record, other).answer(Run("x"), Call()) == done
    assert other.files == workspace.files
    forged = replace(done, notes=("nothing",), cost=5.0)
    rerun = RecordedShell([(Run("true").key, forged)], Workspace(), sandbox)
    rerun.answer(Run("true"), Call())
    assert [one.field for one in rerun.differences] == ["changes", "notes", "cost"]


@pytest.mark.parametrize("command", ["echo hi >a; chmod 0 .", "mkdir d; echo 1 >d/a; chmod 0 d; chmod 0 ."])
def test_a_locked_workspace_is_read_all_the_same(sandbox: Sandbox, command: str) -> None:
    assert list(written(sandbox.run(command, {}, 20)).values()) in ([b"hi\n"], [b"1\n"])


def test_a_command_that_reads_its_own_output_ends(sandbox: Sandbox) -> None:
    done = sandbox.run("cat </proc/self/fd/1 >/dev/null & timeout 0.5 yes; echo end", {}, 5)
    assert done.exit_code in (0, 137)


def as_ordinary_user(work: Callable[[], object]) -> str:
    """What some work gives, or raises, in a child of this process that is no longer root."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other threads are no matter: the child only runs commands
        child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setgid(65_532)
            os.setuid(65_532)
            box._require.cache_clear()
            try:
                said = repr(work())
            except BaseException as error:
                said = repr(error)
            os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        said = file.read().decode()
    os.waitpid(child, 0)
    return said


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests above have run as an ordinary user")
def test_an_ordinary_user_meets_no_trouble_either(sandbox: Sandbox) -> None:
    assert as_ordinary_user(lambda: Sandbox().run("echo hi >a; chmod 0 .", {}, 20).changes) == "(('a', 'aGkK'),)"
    reads = "cat </proc/self/fd/1 >/dev/null & timeout 1 yes"
    assert as_ordinary_user(lambda: Sandbox().run(reads, {}, 5).exit_code) in ("124", "137")


def test_only_sockets_of_its_own_network_can_be_made(sandbox: Sandbox) -> None:
    if not seccomp.program():
        pytest.skip("no filter is known for this machine")
    code = """
import errno, socket
for family in range(46):
    for kind in (1, 2, 3):
        try: socket.socket(family, kind).close(); print(family)
        except OSError as error: print(errno.errorcode[error.errno], family) if family in (17, 38, 40) else None
    try: socket.socketpair(family, 1)
    except OSError as error: print("pair", errno.errorcode[error.errno], family) if family in (30, 40) else None
for family, protocol in ((2, 132), (2, 136), (2, 256), (2, 262), (10, 262), (16, 2), (16, 16)):
    for kind in (1, 2, 3):
        try: socket.socket(family, kind, protocol); print("protocol", protocol)
        except OSError: pass
one, _ = socket.socketpair(); usual = one.getsockopt(1, 7), one.getsockopt(1, 8)
[one.setsockopt(1, option, 1 << 30) for option in (7, 8)]; one.setsockopt(1, 9, 1)
print(usual == (one.getsockopt(1, 7), one.getsockopt(1, 8)), one.getsockopt(1, 9)); print("end")
"""
    said = python(sandbox, code).stdout.split("\n")
    assert said[-3:-1] == ["True 1", "end"]
    assert not [line for line in said if line.startswith("protocol")]
    assert {"pair EAFNOSUPPORT 30", "pair EAFNOSUPPORT 40"} <= set(said)
    assert {line for line in said if line.isdigit()} <= {"1", "2", "10", "16"}
    assert {"1", "2"} <= set(said)
    assert {line for line in said if line[:1] == "E" and line.endswith((" 17", " 38", " 40"))} == {
        f"EAFNOSUPPORT {family}" for family in (17, 38, 40)
    }


def test_memory_of_sockets_counts(proven: Sandbox) -> None:
    code = """
import os, socket, time
for _ in range(6):
    if not os.fork():
        pairs = [socket.socketpair() for _ in range(120)]
        for one, _ in pairs:
            one.setblocking(False)
            try:
                while True: one.send(bytes(4096))
            except BlockingIOError: pass
        time.sleep(20)
time.sleep(20)
"""
    done = python(proven, code, 10)
    assert (done.exit_code, done.notes[0]) == (137, "killed: its processes together took more than 256 MB of memory")
    routes = "import os, socket, time\n[os.fork() for _ in range(3)]\n"
    routes += "all = [socket.socket(16, 3) for _ in range(200)]\ntime.sleep(20)"
    assert python(proven, routes, 10).exit_code == 137
    few = "import socket\npairs = [socket.socketpair() for _ in range(100)]\nprint(len(pairs))"
    assert python(proven, few).stdout == "100\n"


def test_what_may_differ_from_run_to_run_does_not(sandbox: Sandbox) -> None:
    commands = [
        "perl -e 'my %h = map { $_ => 1 } 1 .. 50; print join(q( ), keys %h)'",
        "echo $RANDOM $$; hostname; ls -la",
    ]
    if sandbox.root.flat:
        commands.append("python3 -c 'print(object())'")
    for command in commands:
        assert len({sandbox.run(command, {"a": b"x"}, 20) for _ in range(3)}) == 1, command


@pytest.mark.parametrize("folder", ["/usr/share", "/usr", "/bin/../lib"])
def test_what_commands_must_not_see_lies_elsewhere(sandbox: Sandbox, folder: str, tmp_path: Path) -> None:
    sandbox.check_hidden([tmp_path])
    with pytest.raises(UsageError, match=r"sandbox shows the host's files; keep it elsewhere"):
        sandbox.check_hidden([Path(folder) / "world"])


def test_no_time_limit_is_offered_that_does_not_hold() -> None:
    with pytest.raises(UsageError, match=r"longest is 120; allowed are 0.1 to 60"):
        profile({"shell": {"longest": 120}})


def test_what_the_distribution_did_not_install_is_hidden(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [folder for folder in ("/usr/local", "/usr/src") if Path(folder).is_dir()]
    assert any(any(Path(folder).iterdir()) for folder in folders)
    assert out(sandbox, f"ls -A {' '.join(folders)} | grep -v :") == "\n" * (len(folders) - 1)
    sandbox.check_hidden([Path(folder) / "world" for folder in folders])
    monkeypatch.setattr(root, "_MURK", Path("/usr/share/doc"))  # as if it were installed there
    assert out(Sandbox(), "ls -A /usr/share/doc; touch /usr/share/doc/x || ls -d /usr/share/doc") == (
        "/usr/share/doc\ntouch: cannot touch '/usr/share/doc/x': Read-only file system\n"
    )


def test_no_memory_is_held_by_reference(proven: Sandbox) -> None:
    """One byte of a huge page that a socket refers to would hold two megabytes, with no process to count them for."""
    code = """
import ctypes, errno, mmap, socket
server = socket.create_server(("127.0.0.1", 0))
one = socket.create_connection(server.getsockname())
one.send(bytes(400_000))
one.setsockopt(1, 60, 1)
page = mmap.mmap(-1, 4096)
try:
    for i in range(100): one.send(page, 0x4000000)
except OSError as error: print(i, errno.errorcode[error.errno])
"""
    count, why = python(proven, code).stdout.split()
    assert (int(count) < 16, why) == (True, "ENOBUFS")


def test_files_are_copied_without_the_system_calls_for_it(sandbox: Sandbox) -> None:
    command = """cp a b; cat a >c; cat a | cat >d; dd if=a of=e status=none; install a f; tar -cf - a | tar -xOf - >g
        python3 -c 'import shutil; shutil.copy("a", "h"); shutil.copyfile("a", "i")'
        perl -e 'use File::Copy; copy("a", "j")'"""
    data = os.urandom(300_000)
    done = sandbox.run(command, {"a": data}, 20)
    assert (done.stderr, written(done)) == ("", dict.fromkeys("bcdefghij", data))


def test_every_path_of_a_workspace_can_be_used(sandbox: Sandbox) -> None:
    """And what a command leaves under a path that is none is told in the workspace's words."""
    workspace = Workspace()
    paths = ["d/" * MAX_DEPTH + "f", "x" * MAX_PATH, "..a", "...", "a b", "-rf", "é漢/~", "'\"$(id)*"]
    for path in paths:
        assert workspace.change(path, b"1") is None
    done = Shell(sandbox, workspace).answer(Run("find . -type f -exec cp {} {}2 ';'; find . -type f | wc -l"), Call())
    assert isinstance(done, Completed)
    assert done.stdout == "16\n"
    assert sorted(workspace.files) == sorted([*paths, *(f"{path}2" for path in paths if len(path) < MAX_PATH)])
    assert done.notes == (f"{'x' * 40}...{'x' * 39}2 was not kept: it is longer than 240 bytes",)
    odd = sandbox.run("mkdir -p $'a\\nb/c' $'\\e[1m'; touch $'a\\nb/c/d' $'\\u202e' ..foo; : >$'\\xff'", {}, 20)
    assert (list(written(odd)), odd.notes) == (
        ["..foo"],
        (
            "'\\x1b[1m' was not kept: it has characters that cannot be printed",
            "'a\\nb' was not kept: it has characters that cannot be printed",
            "'\\u202e' was not kept: it has characters that cannot be printed",
            "\\xff was not kept: its name is no text in UTF-8",
        ),
    )


def test_one_file_may_grow_by_what_another_gives_up(sandbox: Sandbox) -> None:
    workspace = Workspace(file_bytes=1_000, total_bytes=2_000)
    workspace.change("z", bytes(1_000))
    workspace.change("a", bytes(500))
    done = Shell(sandbox, workspace).answer(Run("mv z t; mv a z; mv t a; cp z y"), Call())
    assert isinstance(done, Completed)
    assert ({path: len(data) for path, data in workspace.files.items()}, done.notes) == (
        {"a": 1000, "z": 500, "y": 500},
        (),
    )


def test_the_path_of_the_environment_is_the_commands_alone(sandbox: Sandbox) -> None:
    assert sandbox.run("echo $PATH; ls", {}, 20, env=[("PATH", "/nowhere")]).stdout == "/nowhere\n"


def test_limits_are_told_before_they_are_met() -> None:
    limits, tool = SandboxLimits(), ShellTool()
    told = set(re.findall(r"\d+", tool.description))
    sizes = (limits.memory, limits.file_bytes, limits.disk_bytes, limits.kept_file_bytes, limits.kept_bytes)
    assert {str(size >> 20) for size in sizes} <= told
    assert {str(number) for number in (limits.processes, limits.output_chars, limits.files, INODES)} <= told
