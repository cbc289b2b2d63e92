"""What a load asks of a server: from what the user says to requests that are ready to be sent, one file a protocol."""
