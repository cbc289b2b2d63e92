"""What a profile is made of: operators, layers of a call, the first call, the machine's peaks."""
