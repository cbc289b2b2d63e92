"""One file a verb: declares its arguments, calls the api, prints."""
