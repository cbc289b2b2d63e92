"""`python -m modeldyno` is `dyno`."""

from modeldyno.cli.main import run

if __name__ == "__main__":
    run()
