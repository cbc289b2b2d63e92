import subprocess
import sys

HEAVY = (
    "numpy",
    "onnxruntime",
    "sklearn",
    "onnx",
    "skl2onnx",
    "skops",
    "pyarrow",
    "scipy",
    "rich",
    "uvloop",
    "msgspec",
)


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_importing_the_package_imports_no_library() -> None:
    assert set() == loaded_after("import modeldyno") & set(HEAVY)


def test_asking_for_help_imports_no_library_and_no_parser() -> None:
    loaded = loaded_after(
        "import io, sys\n"
        "from modeldyno.cli.main import main\n"
        "out, sys.stdout = sys.stdout, io.StringIO()\n"
        "main(['--help'])\n"
        "sys.stdout = out"
    )
    assert set() == loaded & {*HEAVY, "argparse"}


def test_an_evaluation_by_name_is_not_imported_before_it_is_used() -> None:
    assert "onnxruntime" not in loaded_after("import modeldyno\nmodeldyno.inspect")


def test_every_public_name_is_a_function_whatever_was_imported_before() -> None:
    import pkgutil

    import modeldyno

    for module in pkgutil.iter_modules(modeldyno.__path__, "modeldyno."):
        if module.name != "modeldyno.__main__":
            __import__(module.name)
    assert all(callable(getattr(modeldyno, name)) for name in modeldyno.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    import modeldyno

    assert not hasattr(modeldyno, "teleport")
