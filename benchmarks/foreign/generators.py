"""The captcha generators, from PyPI, npm and Debian. Nothing of theirs is in this repository.

None of them is the `captcha` package, or a port of it, whose look this package's own renderer has.
"""

import string
from dataclasses import dataclass

from ctc_ocr.errors import InputError

DIGITS, LOWER, UPPER = string.digits, string.ascii_lowercase, string.ascii_uppercase
PARTS = ("development", "held_out")


@dataclass(frozen=True)
class Generator:
    """A package, and the images that it makes when nothing is set that need not be.

    registry: PyPI, npm or Debian. packages: what is installed, each with its version where the registry keeps old ones,
    the generator first. fonts: Debian packages of fonts, for generators that bring none.
    alphabet, lengths: the characters that its texts have, and the least and largest number of them.
    size: width and height in pixels; None if it varies.
    colour: whether there is more in an image than grey. look: for people.
    part: `development` images may be looked at; `held_out` ones are for the figures at the end alone.
    """

    name: str
    registry: str
    packages: tuple[str, ...]
    licence: str
    alphabet: str
    lengths: tuple[int, int]
    size: tuple[int, int] | None
    colour: bool
    look: str
    part: str
    fonts: tuple[str, ...] = ()


SVG = "@resvg/resvg-js@2.6.2"  # draws SVG as PNG
PILLOW = "Pillow==11.3.0"

DEVELOPMENT = (
    Generator(
        "captchapng", "npm", ("captchapng@0.0.1", "pnglib@0.0.1"), "BSD",
        alphabet=DIGITS, lengths=(4, 4), size=(80, 30), colour=False,
        look="two bitmap fonts, moved", part="development",
    ),
    Generator(
        "svg-captcha", "npm", ("svg-captcha@1.4.0", SVG), "MIT",
        alphabet=DIGITS + LOWER + UPPER, lengths=(4, 4), size=(150, 50), colour=False,
        look="letters of bent outlines, a curve across", part="development",
    ),
    Generator(
        "easy-captcha-python", "PyPI", ("easy-captcha-python==1.0.0", PILLOW), "Apache-2.0",
        alphabet="23456789ABCDEFGHJKMNPQRSTUVWXYZ", lengths=(5, 5), size=(130, 48), colour=True,
        look="outlined capitals in colours, a curve and circles across", part="development",
    ),
    Generator(
        "gregwar-captcha", "Debian", ("php-gregwar-captcha=1.1.9+ds-2", "php-cli", "php-gd", "php-mbstring"), "MIT",
        alphabet=DIGITS[1:] + LOWER.replace("o", "") + UPPER, lengths=(5, 5), size=(150, 40), colour=True,
        look="eight fonts, warped, coloured paper, lines across", part="development",
    ),
)  # fmt: skip

HELD_OUT = (
    Generator(
        "authen-captcha", "Debian", ("libauthen-captcha-perl=1.024-3",), "GPL-1+",
        alphabet=DIGITS[2:9] + LOWER[:25], lengths=(5, 5), size=(125, 35), colour=False,
        look="letters that are images, stretched, on a pattern", part="held_out",
    ),
    Generator(
        "captchagen", "PyPI", ("CaptchaGen==0.1.0", PILLOW), "GPL-3.0+",
        alphabet=DIGITS + LOWER + UPPER, lengths=(4, 6), size=(200, 80), colour=False,
        look="several fonts side by side, clean", part="held_out", fonts=("fonts-liberation",),
    ),
    Generator(
        "captchasaz", "PyPI", ("captchaSaz==2.0.4", PILLOW), "MIT",
        alphabet=DIGITS[:9] + LOWER, lengths=(6, 6), size=(500, 200), colour=True,
        look="five decorative fonts over circles and lines", part="held_out",
    ),
    Generator(
        "claptcha", "PyPI", ("claptcha==0.3.3", "Pillow==9.5.0"), "MIT",
        alphabet=UPPER, lengths=(6, 6), size=(200, 80), colour=False,
        look="one thin font, each letter warped, a line across", part="held_out", fonts=("fonts-freefont-ttf",),
    ),
    Generator(
        "django-simple-captcha", "PyPI", ("django-simple-captcha==0.7.0", PILLOW), "MIT",
        alphabet=UPPER, lengths=(4, 4), size=None, colour=False,
        look="small rotated letters, arcs and dots", part="held_out",
    ),
    Generator(
        "flask-simple-captcha", "PyPI", ("flask-simple-captcha==5.5.5", PILLOW), "MIT",
        alphabet=UPPER.replace("I", "").replace("O", ""), lengths=(6, 6), size=(180, 60), colour=False,
        look="light ink on dark paper, lines and ellipses of the same", part="held_out",
    ),
    Generator(
        "gd-securityimage", "Debian", ("libgd-securityimage-perl=1.75-2",), "GPL-1+",
        alphabet=DIGITS, lengths=(6, 6), size=(80, 30), colour=False,
        look="small bitmap font on a grid", part="held_out",
    ),
    Generator(
        "gvcode", "PyPI", ("gvcode==1.0.3", PILLOW), "GPL",
        alphabet=DIGITS + LOWER + UPPER, lengths=(5, 5), size=(200, 80), colour=True,
        look="letters in colours, rotated up to 90 degrees, lines", part="held_out",
    ),
    Generator(
        "multicolorcaptcha", "PyPI", ("multicolorcaptcha==1.2.0", PILLOW), "GPL-3.0",
        alphabet=DIGITS, lengths=(4, 4), size=(640, 360), colour=True,
        look="many fonts, large, rotated, circles and lines", part="held_out",
    ),
    Generator(
        "node-captcha-generator", "npm", ("node-captcha-generator@0.0.1",), "ISC",
        alphabet=DIGITS, lengths=(5, 5), size=(450, 200), colour=False,
        look="handwritten digits, light on dark, stretched", part="held_out",
    ),
    Generator(
        "ppfun-captcha", "npm", ("ppfun-captcha@1.7.2", SVG), "MIT",
        alphabet=DIGITS + LOWER + UPPER, lengths=(4, 4), size=None, colour=False,
        look="outlines of one path, broken up", part="held_out",
    ),
    Generator(
        "trek-captcha", "npm", ("trek-captcha@0.4.0",), "MIT",
        alphabet="abcdfhijklmnopqrstuvwxy", lengths=(5, 5), size=(200, 70), colour=True,
        look="skewed letters of one colour, dots, a line", part="held_out",
    ),
    Generator(
        "wheezy-captcha", "PyPI", ("wheezy.captcha==3.2.2", PILLOW), "MIT",
        alphabet=DIGITS + UPPER, lengths=(4, 4), size=(200, 75), colour=True,
        look="large warped letters that touch, a thick curve", part="held_out", fonts=("fonts-liberation",),
    ),
)  # fmt: skip

GENERATORS = {each.name: each for each in (*DEVELOPMENT, *HELD_OUT)}


def chosen(names: list[str]) -> list[Generator]:
    """The generators of these names, each once, in the table's order; a part, or `all`, stands for its generators.

    Raises InputError for another name.
    """
    accepted = ("all", *PARTS, *GENERATORS)
    for name in names:
        if name not in accepted:
            raise InputError(f"unknown generator {name!r}; accepted: {', '.join(accepted)}")
    return [each for each in GENERATORS.values() if {"all", each.part, each.name} & set(names)]
