"""A secret for keyed pseudonyms and a certificate to seal to, and what the person who holds the
private key does with them. Made by the openssl command, as an administrator makes them."""
import os
import subprocess


class Keys:
    """The files below a directory, and the part of relais.conf that names them."""

    def __init__(self, directory):
        self.secret, self.certificate, self.private = (
            os.path.join(directory, name) for name in ("keys.secret", "seal.pem", "unit.key"))

    def make(self):
        openssl("req", "-x509", "-newkey", "rsa:3072", "-noenc", "-keyout", self.private,
                "-out", self.certificate, "-days", "30", "-subj", "/CN=Test")
        with open(self.secret, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(openssl("rand", "-hex", "32"))
        return self

    @property
    def settings(self):
        return f"[keys]\nsecret = {self.secret}\nversion = 1\n[seal]\ncertificate = {self.certificate}\n"

    def secret_bytes(self):
        with open(self.secret, "rb") as file:
            return file.read().strip()

    def unseal(self, sealed):
        """The bytes that were sealed."""
        return openssl("cms", "-decrypt", "-inform", "DER", "-inkey", self.private, "-recip", self.certificate,
                       input=sealed)

    def key_id(self):
        """The SHA-256 of the certificate's SubjectPublicKeyInfo."""
        der = openssl("pkey", "-pubin", "-outform", "DER",
                      input=openssl("x509", "-in", self.certificate, "-noout", "-pubkey"))
        return openssl("dgst", "-sha256", "-r", input=der).split()[0].decode()


def openssl(*arguments, input=None):
    done = subprocess.run(["openssl", *arguments], input=input, capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout
