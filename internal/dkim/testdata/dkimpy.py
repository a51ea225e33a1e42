# Drives dkimpy for tests: sign or verify the message on standard input.
#   dkimpy.py sign SELECTOR DOMAIN KEYFILE HEADERCANON BODYCANON [ALGORITHM]
#   dkimpy.py verify NAME RECORD
#   dkimpy.py verifyall NAME RECORD [NAME RECORD...]
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
    algorithm = args[5] if len(args) > 5 else b"rsa-sha256"
    field = dkim.sign(message, args[0], args[1], key, canonicalize=(args[3], args[4]), signature_algorithm=algorithm)
    sys.stdout.buffer.write(field + message)
elif mode == "verify":
    print("pass" if dkim.verify(message, dnsfunc=zone) else "fail")
elif mode == "verifyall":
    records = dict(zip(args[::2], args[1::2]))
    d = dkim.DKIM(message)
    count = sum(1 for name, _ in d.headers if name.lower() == b"dkim-signature")
    for i in range(count):
        ok = d.verify(idx=i, dnsfunc=lambda name, timeout=5: records.get(name.rstrip(b".")))
        print("pass" if ok else "fail")
elif mode == "arcsign":
    key = open(args[2], "rb").read()
    fields = dkim.arc_sign(message, args[0], args[1], key, args[3])
    sys.stdout.buffer.write(b"".join(fields) + message)
elif mode == "arcverify":
    cv, _, _ = dkim.arc_verify(message, dnsfunc=zone)
    print(cv.decode())
