#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Between pulseprofd and a studio: a TLS front and a CONNECT proxy. Each prints its port, then what it saw.

  tls_rig.py front UPSTREAM_PORT CERT KEY WIRE [CLIENT_CA]   decrypts, passes on; what came goes to WIRE, too
  tls_rig.py proxy TARGET_PORT                               tunnels any CONNECT to 127.0.0.1:TARGET_PORT

Certificates are read anew for each connection. "peer NAME" is the common name of a client's certificate.
"""
import socket
import ssl
import sys
import threading


def say(*words):
    print(*words, flush=True)


def pump(source, sink, copy=None):
    try:
        while data := source.recv(65536):
            if copy:
                copy.write(data)
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def join(client, upstream, copy=None):
    threading.Thread(target=pump, args=(upstream, client), daemon=True).start()
    pump(client, upstream, copy)


def front(connection, upstream_port, cert, key, wire, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    try:
        client = context.wrap_socket(connection, server_side=True)
        names = [value for rdn in (client.getpeercert() or {}).get("subject", ()) for name, value in rdn
                 if name == "commonName"]
        say("peer", names[0] if names else "nobody")
        with open(wire, "ab", buffering=0) as copy:
            join(client, socket.create_connection(("127.0.0.1", int(upstream_port))), copy)
    except OSError as error:  # ssl.SSLError is one
        say("refused", error)


def proxy(connection, target_port):
    asked = b""
    while b"\r\n\r\n" not in asked and len(asked) < 65536:
        data = connection.recv(65536)
        if not data:
            return
        asked += data
    say("asked", asked.decode("latin-1").replace("\r\n", "|"))
    connection.sendall(b"HTTP/1.1 200 go\r\n\r\n")
    join(connection, socket.create_connection(("127.0.0.1", int(target_port))))


def main():
    serve = {"front": front, "proxy": proxy}[sys.argv[1]]
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    say("port", listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        connection.settimeout(60)
        threading.Thread(target=serve, args=(connection, *sys.argv[2:]), daemon=True).start()


main()
