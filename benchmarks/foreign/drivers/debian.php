<?php
// Driver of the PHP generator from Debian with its defaults. Its fonts are the ones that the package lists, in the folder
// where they were unpacked instead of the system's.

[, $name, $environment, $seed] = $argv;
mt_srand((int) $seed);

$library = "$environment/root/usr/share/php/Gregwar/Captcha";
foreach (['PhraseBuilderInterface', 'PhraseBuilder', 'ImageFileHandler', 'CaptchaBuilderInterface', 'CaptchaBuilder'] as $class) {
    require "$library/$class.php";
}

function fonts($library, $environment)
{
    preg_match_all('~"(/usr/share/fonts/[^"]+)"~', file_get_contents("$library/CaptchaBuilder.php"), $listed);
    $unpacked = array_map(fn($path) => "$environment/root$path", $listed[1]);
    // A font that was in the system already was not unpacked.
    $paths = array_map(fn($own, $system) => is_readable($own) ? $own : $system, $unpacked, $listed[1]);
    return array_values(array_filter($paths, 'is_readable'));
}

$fonts = fonts($library, $environment);
while (($path = fgets(STDIN)) !== false) {
    $captcha = new Gregwar\Captcha\CaptchaBuilder();
    $captcha->build(150, 40, $fonts[array_rand($fonts)]);
    file_put_contents(rtrim($path, "\n"), $captcha->get());
    echo $captcha->getPhrase(), "\n";
}
