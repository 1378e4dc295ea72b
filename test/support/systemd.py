"""Does for one service what systemd does: opens its socket and hands it over as descriptor 3, hears that it has started,
and restarts it. Usage: python3 systemd.py FOLDER PROGRAM [ARGUMENT]... It prints "port N", and "READY=1" for each start
that the service tells of; a line on its standard input restarts the service, the end of the input ends it."""

import os
import select
import signal
import socket
import sys

folder, command = sys.argv[1], sys.argv[2:]
notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notified.bind(os.path.join(folder, "notify"))
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
listening.listen(512)
print("port", listening.getsockname()[1], flush=True)


def start():
    pid = os.fork()
    if pid:
        return pid
    os.dup2(listening.fileno(), 3, inheritable=True)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", NOTIFY_SOCKET=os.path.join(folder, "notify"))
    os.execvp(command[0], command)


def stop(pid):
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


service = start()
while True:
    ready, _, _ = select.select([notified, sys.stdin], [], [])
    if notified in ready:
        for line in notified.recv(4096).decode().splitlines():
            if line == "READY=1":
                print(line, flush=True)
    if sys.stdin in ready:
        stop_only = sys.stdin.readline() == ""
        stop(service)
        if stop_only:
            break
        service = start()
