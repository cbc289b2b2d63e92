"""Sockets: connections in, answers out, over HTTP/1.1 and gRPC."""
