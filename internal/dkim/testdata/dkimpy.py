# Drives dkimpy for tests: sign or verify the message on standard input.
#   dkimpy.py sign SELECTOR DOMAIN KEYFILE HEADERCANON BODYCANON
#   dkimpy.py verify NAME RECORD
#   dkimpy.py arcsign SELECTOR DOMAIN KEYFILE AUTHSERVID
#   dkimpy.py arcverify NAME RECORD
import sys

import dkim

mode, args = sys.argv[1], [a.encode() for a in sys.argv[2:]]
message = sys.stdin.buffer.read()


def zone(name, timeout=5):
    return args[1] if name.rstrip(b".") == args[0] else None


if mode == "sign":
    key = open(args[2], "rb").read()
    field = dkim.sign(message, args[0], args[1], key, canonicalize=(args[3], args[4]))
    sys.stdout.buffer.write(field + message)
elif mode == "verify":
    print("pass" if dkim.verify(message, dnsfunc=zone) else "fail")
elif mode == "arcsign":
    key = open(args[2], "rb").read()
    fields = dkim.arc_sign(message, args[0], args[1], key, args[3])
    sys.stdout.buffer.write(b"".join(fields) + message)
elif mode == "arcverify":
    cv, _, _ = dkim.arc_verify(message, dnsfunc=zone)
    print(cv.decode())
