"""Locks a submission as an encrypted form's phone does, by the `openssl` command and nothing of
Relais: the other side of plugin/xform/envelope.c, written from the ODK XForms specification.

    envelope.make_key(directory, "project")              → project.pem, and the form's key in base64
    envelope.lock(public, form, version, instance, xml, files) → (envelope XML, {part name: bytes})
    python3 envelope.py DIRECTORY                         writes the fixture of tests/unit/envelope.c
"""
import base64
import hashlib
import os
import subprocess
import sys

COLLECT = "http://www.opendatakit.org/xforms/encrypted"
ENKETO = "http://opendatakit.org/submissions"


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, check=True, capture_output=True).stdout


def make_key(directory, name, bits=2048, passphrase=None):
    """A private key as NAME.pem (and NAME.passphrase), mode 0600; the public one in base64."""
    path = os.path.join(directory, f"{name}.pem")
    locked = [] if passphrase is None else ["-aes256", "-pass", f"pass:{passphrase}"]
    old = os.umask(0o077)
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}", *locked, "-out", path)
    if passphrase is not None:
        with open(os.path.join(directory, f"{name}.passphrase"), "w", encoding="utf-8") as file:
            file.write(passphrase + "\n")
    os.umask(old)
    opened = [] if passphrase is None else ["-passin", f"pass:{passphrase}"]
    return base64.b64encode(openssl("pkey", "-in", path, *opened, "-pubout", "-outform", "DER")).decode()


def wrap(public, data):
    """RSA-OAEP with SHA-256 for both digests, in base64."""
    pem = f"-----BEGIN PUBLIC KEY-----\n{public}\n-----END PUBLIC KEY-----\n".encode()
    reading, writing = os.pipe()
    os.write(writing, pem)
    os.close(writing)
    done = subprocess.run(["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", f"/dev/fd/{reading}",
                           "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256",
                           "-pkeyopt", "rsa_mgf1_md:sha256"], input=data, check=True,
                          capture_output=True, pass_fds=[reading])
    os.close(reading)
    return base64.b64encode(done.stdout).decode()


class Lock:
    def __init__(self, instance, key=None):
        self.key = key or os.urandom(32)
        self.seed = bytearray(hashlib.md5(instance.encode() + self.key).digest())
        self.count = 0

    def encrypt(self, data):
        self.seed[self.count % 16] = (self.seed[self.count % 16] + 1) % 256
        self.count += 1
        padding = 16 - len(data) % 16
        return openssl("enc", "-aes-256-cfb", "-K", self.key.hex(), "-iv", self.seed.hex(),
                       data=data + bytes([padding]) * padding)


def lock(public, form, version, instance, xml, files=(), namespace=COLLECT, order="key meta media file sign",
         one_media=False):
    """`files`: (name, bytes) in order. `order` names the children; leave "sign" out for none."""
    made = Lock(instance)
    parts = {f"{name}.enc": made.encrypt(data) for name, data in files}
    parts["submission.xml.enc"] = made.encrypt(xml)
    key = wrap(public, made.key)
    signed = [form, *([version] if version else []), key, instance]
    signed += [f"{name}::{hashlib.md5(data).hexdigest()}" for name, data in (*files, ("submission.xml", xml))]
    signature = wrap(public, hashlib.md5("".join(line + "\n" for line in signed).encode()).digest())
    names = [f"<file>{name}.enc</file>" for name, _ in files]
    media = (f"<media>{''.join(names)}</media>" if one_media and names
             else "".join(f"<media>{name}</media>\n" for name in names))
    children = {
        "key": f"<base64EncryptedKey>{key}</base64EncryptedKey>",
        "meta": f'<meta xmlns="http://openrosa.org/xforms"><instanceID>{instance}</instanceID></meta>\n',
        "media": media,
        "file": "<encryptedXmlFile>submission.xml.enc</encryptedXmlFile>",
        "sign": f"<base64EncryptedElementSignature>{signature}</base64EncryptedElementSignature>",
    }
    root = f'<data xmlns="{namespace}" encrypted="yes" id="{form}"' + (f' version="{version}">' if version else ">")
    return (root + "".join(children[word] for word in order.split()) + "</data>").encode(), parts


def write_fixture(directory):
    public = make_key(directory, "locked", passphrase="nine words")
    envelope, parts = lock(public, "enc", "3", "uuid:00000000-0000-4000-8000-000000000001",
                           b'<data id="enc" version="3"><age>7</age></data>',
                           [("a.jpg", b"\xff\xd8" * 1000), ("empty.txt", b""), ("b.jpg", b"x" * 16)])
    for name, data in {"envelope.xml": envelope, **parts}.items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)


if __name__ == "__main__":
    write_fixture(sys.argv[1])
