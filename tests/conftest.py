import os

from hypothesis import settings

# No test depends on how fast the machine is; and what CI runs can be repeated exactly.
settings.register_profile("modeldyno", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("modeldyno")
