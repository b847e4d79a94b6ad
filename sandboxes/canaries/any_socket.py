# verdict: wrong_answer|runtime_error ; mode: stdin ; threat: any socket at all: internet, netlink, packet, kernel crypto, virtual machine
import socket

made = []
for family in range(48):
    for kind in (1, 2, 3, 5):
        try:
            socket.socket(family, kind).close()
            made.append((family, kind))
        except OSError:
            pass
for host in ("127.0.0.1", "169.254.169.254", "8.8.8.8"):
    try:
        socket.create_connection((host, 80), timeout=0.3)
        made.append(host)
    except OSError:
        pass
print("SOCKETS", made)
