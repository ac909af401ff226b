/* Data for password.c alone: the passwords that are tried first, in small letters, of those that are long
 * enough to be allowed at all. */
#ifndef HOMEPORT_ACCOUNT_COMMON_PASSWORDS_H
#define HOMEPORT_ACCOUNT_COMMON_PASSWORDS_H

#include "core/text.h"

/* clang-format off */
#define COMMON_PASSWORDS(ROW) \
    ROW("password") ROW("password1") ROW("password12") ROW("password123") ROW("password1234") \
    ROW("password12345") ROW("password123456") ROW("passw0rd") ROW("p@ssw0rd") ROW("p@ssword") \
    ROW("pa55word") ROW("passwort") ROW("passwort1") ROW("password!") ROW("password1!") \
    ROW("password!!") ROW("password01") ROW("password99") ROW("passwordpassword") \
    ROW("mypassword") ROW("newpassword") ROW("changeme") ROW("changeme1") ROW("changeme123") \
    ROW("changeit") ROW("letmein1") ROW("letmein123") ROW("letmeinnow") ROW("welcome1") \
    ROW("welcome12") ROW("welcome123") ROW("welcome1234") ROW("welcome01") ROW("welcome!") \
    ROW("secret12") ROW("secret123") ROW("topsecret") ROW("default1") ROW("default123") \
    ROW("12345678") ROW("123456789") ROW("1234567890") ROW("12345678910") ROW("0123456789") \
    ROW("87654321") ROW("987654321") ROW("9876543210") ROW("0987654321") ROW("11111111") \
    ROW("111111111") ROW("1111111111") ROW("00000000") ROW("000000000") ROW("0000000000") \
    ROW("22222222") ROW("33333333") ROW("44444444") ROW("55555555") ROW("66666666") \
    ROW("77777777") ROW("88888888") ROW("888888888") ROW("99999999") ROW("999999999") \
    ROW("12341234") ROW("11223344") ROW("1122334455") ROW("12121212") ROW("123123123") \
    ROW("123123123a") ROW("123321123") ROW("12344321") ROW("123456123") ROW("123454321") \
    ROW("1234554321") ROW("147258369") ROW("159753456") ROW("741852963") ROW("789456123") \
    ROW("963852741") ROW("10203040") ROW("1029384756") ROW("13131313") ROW("31415926") \
    ROW("314159265") ROW("20202020") ROW("19871987") ROW("19901990") ROW("12345678a") \
    ROW("123456789a") ROW("1234567a") ROW("a1234567") ROW("a12345678") ROW("a123456789") \
    ROW("aa123456") ROW("aa12345678") ROW("abc12345") ROW("abc123456") ROW("abcd1234") \
    ROW("abcd12345") ROW("abcdefgh") ROW("abcdefg1") ROW("abcdef12") ROW("abcdefghi") \
    ROW("1234abcd") ROW("1234qwer") ROW("123456ab") ROW("123456aa") ROW("123456abc") \
    ROW("12345qwert") ROW("1q2w3e4r") ROW("1q2w3e4r5t") ROW("1q2w3e4r5t6y") ROW("q1w2e3r4") \
    ROW("q1w2e3r4t5") ROW("1qaz2wsx") ROW("1qaz2wsx3edc") ROW("1qazxsw2") ROW("zaq12wsx") \
    ROW("zaq1zaq1") ROW("qazwsxedc") ROW("qazwsx123") ROW("qwer1234") ROW("qwert123") \
    ROW("qwert12345") ROW("qwerty12") ROW("qwerty123") ROW("qwerty1234") ROW("qwerty12345") \
    ROW("qwertyui") ROW("qwertyuiop") ROW("qwertyqwerty") ROW("qweasdzxc") ROW("qwe123qwe") \
    ROW("qweqweqwe") ROW("123qweasd") ROW("123qwe123") ROW("asdfghjk") ROW("asdfghjkl") \
    ROW("asdf1234") ROW("asdfasdf") ROW("asdasdasd") ROW("zxcvbnm1") ROW("zxcvbnm123") \
    ROW("zxcvbnmm") ROW("aaaaaaaa") ROW("aaaaaaaaa") ROW("aaaa1111") ROW("11111111a") \
    ROW("xxxxxxxx") ROW("zzzzzzzz") ROW("iloveyou") ROW("iloveyou1") ROW("iloveyou2") \
    ROW("iloveyou!") ROW("ilovegod") ROW("loveyou1") ROW("lovelove") ROW("sunshine") \
    ROW("sunshine1") ROW("princess") ROW("princess1") ROW("football") ROW("football1") \
    ROW("baseball") ROW("baseball1") ROW("basketball") ROW("superman") ROW("superman1") \
    ROW("batman123") ROW("spiderman") ROW("starwars") ROW("starwars1") ROW("pokemon1") \
    ROW("pokemon123") ROW("computer") ROW("computer1") ROW("internet") ROW("internet1") \
    ROW("michelle") ROW("jennifer") ROW("jessica1") ROW("michael1") ROW("charlie1") \
    ROW("jonathan") ROW("samantha") ROW("victoria") ROW("elizabeth") ROW("alexander") \
    ROW("alexandra") ROW("nicholas") ROW("danielle") ROW("patricia") ROW("benjamin") \
    ROW("christian") ROW("chocolate") ROW("butterfly") ROW("whatever") ROW("trustno1") \
    ROW("trustnoone") ROW("dragon123") ROW("master123") ROW("monkey123") ROW("shadow123") \
    ROW("killer123") ROW("hello123") ROW("hellohello") ROW("blahblah") ROW("corvette") \
    ROW("mercedes") ROW("maverick") ROW("midnight") ROW("mountain") ROW("liverpool") \
    ROW("liverpool1") ROW("chelsea1") ROW("arsenal1") ROW("barcelona") ROW("steelers") \
    ROW("redskins") ROW("cowboys1") ROW("yankees1") ROW("rangers1") ROW("bulldogs") \
    ROW("panthers") ROW("fuckyou1") ROW("fuckyou123") ROW("asshole1") ROW("qwertz123") \
    ROW("azertyuiop") ROW("azerty123") ROW("motdepasse") ROW("hallo123") ROW("schatz123") \
    ROW("ficken123") ROW("woaini1314") ROW("woaini520") ROW("5201314520") ROW("admin123") \
    ROW("admin1234") ROW("admin12345") ROW("admin123456") ROW("administrator") ROW("adminadmin") \
    ROW("root1234") ROW("rootroot") ROW("rootpass") ROW("toor1234") ROW("user1234") \
    ROW("useruser") ROW("test1234") ROW("test12345") ROW("testtest") ROW("test123456") \
    ROW("testing1") ROW("testing123") ROW("guest123") ROW("guest1234") ROW("demo1234") \
    ROW("demodemo") ROW("temp1234") ROW("temporary") ROW("server123") ROW("system123") \
    ROW("homeport") ROW("homeport1") ROW("homeport123") ROW("homelab1") ROW("homelab123") \
    ROW("raspberry") ROW("raspberrypi") ROW("synology") ROW("ubuntu123") ROW("debian123") \
    ROW("docker123") ROW("postgres") ROW("mysql123") ROW("sample123") ROW("example1") \
    ROW("unknown1") ROW("security") ROW("internet123") ROW("nopassword") ROW("nothing1")
/* clang-format on */

#endif
