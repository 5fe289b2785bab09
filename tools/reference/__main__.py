"""`python -m tools.reference`: writes all pages anew."""

from tools.reference.pages import FOLDER, render


def main() -> None:
    """Writes what `render` gives."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in render().items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
