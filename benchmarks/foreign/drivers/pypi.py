# mypy: ignore-errors
"""Driver of the generators from PyPI, each with its defaults, or its documentation's example where there are none."""

import base64
import io
import random
import string
import sys
from pathlib import Path


def captchagen(environment):
    from CaptchaGen import CaptchaConfig, CaptchaGenerator

    generator = CaptchaGenerator(str(fonts(environment, "LiberationSans-Regular.ttf").parent), CaptchaConfig())
    return lambda path: saved(path, *generator.generate())


def captchasaz(environment):
    import captchaSaz

    return lambda path: saved(path, *captchaSaz.generate())


def claptcha(environment):
    from claptcha import Claptcha

    font = str(fonts(environment, "FreeMono.ttf"))

    def make(path):
        text, image = Claptcha(some(string.ascii_uppercase, 6), font).image
        return saved(path, image, text)

    return make


def django_simple_captcha(environment):
    import django
    from django.conf import settings

    settings.configure(INSTALLED_APPS=["captcha"], SECRET_KEY="none", USE_TZ=True)
    django.setup()
    from captcha.conf import settings as captcha_settings
    from captcha.views import _captcha_image

    class Stored:  # stands for the row of the database, which is all that the view takes from it
        pass

    def make(path):
        Stored.challenge, _ = captcha_settings.get_challenge()()
        Path(path).write_bytes(_captcha_image(Stored, 1).content)
        return Stored.challenge

    return make


def easy_captcha_python(environment):
    import easy_captcha

    def make(path):
        captcha, stream = easy_captcha.SpecCaptcha(), io.BytesIO()
        if not captcha.out(stream):
            raise RuntimeError("not drawn")
        Path(path).write_bytes(stream.getvalue())
        return captcha.text().upper()  # its texts are of both cases, and its font has capitals alone

    return make


def flask_simple_captcha(environment):
    from flask_simple_captcha import CAPTCHA

    captcha = CAPTCHA({"SECRET_CAPTCHA_KEY": "none"})

    def make(path):
        made = captcha.create()
        Path(path).write_bytes(base64.b64decode(made["img"]))
        return made["text"]

    return make


def gvcode(environment):
    from gvcode import VFCode

    def make(path):
        code = VFCode()
        code.generate_mix()
        code.save(str(path))
        return code.code

    return make


def multicolorcaptcha(environment):
    from multicolorcaptcha import CaptchaGenerator

    generator = CaptchaGenerator()

    def make(path):
        captcha = generator.gen_captcha_image()
        return saved(path, captcha.image, captcha.characters)

    return make


def wheezy_captcha(environment):
    from wheezy.captcha import image

    names = ("LiberationSans-Bold.ttf", "LiberationMono-Bold.ttf")
    letters = image.text(
        fonts=[str(fonts(environment, name)) for name in names],
        drawings=[image.warp(), image.rotate(), image.offset()],
    )
    draw = image.captcha([image.background(), letters, image.curve(), image.noise(), image.smooth()])

    def make(path):
        text = some(string.ascii_uppercase + string.digits, 4)
        return saved(path, draw(text), text)

    return make


def some(alphabet, length):
    return "".join(random.choices(alphabet, k=length))


def saved(path, image, text):
    image.save(path, "PNG")
    return text


def fonts(environment, name):
    """The file of a font, alone with those of its package in a folder."""
    return next(Path(environment, "root").rglob(name))


def main():
    name, environment, seed = sys.argv[1:]
    sys.path.pop(0)  # this folder, in which there is no package
    random.seed(int(seed))
    make = globals()[name.replace("-", "_")](environment)
    for line in sys.stdin:
        print(make(line.rstrip("\n")), flush=True)


if __name__ == "__main__":
    main()
