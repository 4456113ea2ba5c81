# Driver of the Perl generators from Debian, each with its defaults.
use strict;
use warnings;

my ($name, undef, $seed) = @ARGV;
$| = 1;
srand($seed);

sub authen_captcha {
    require Authen::Captcha;
    my $captcha = Authen::Captcha->new;
    return sub {
        my $text = $captcha->generate_random_string(5);
        return ($text, ${ $captcha->create_image_file($text) });
    };
}

sub gd_securityimage {
    require GD::SecurityImage;
    GD::SecurityImage->import;
    return sub {
        my $captcha = GD::SecurityImage->new(width => 80, height => 30, lines => 10, gd_font => 'giant');
        my ($image, undef, $text) = $captcha->random->create(normal => 'rect')->out(force => 'png');
        return ($text, $image);
    };
}

my $make = $name eq 'authen-captcha' ? authen_captcha() : gd_securityimage();
srand($seed);    # a module may have seeded it
while (my $path = <STDIN>) {
    chomp $path;
    my ($text, $image) = $make->();
    open(my $file, '>:raw', $path) or die "$path: $!";
    print $file $image;
    close $file;
    print "$text\n";
}
