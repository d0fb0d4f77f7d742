"""A secret for keyed pseudonyms and a certificate to seal to, and what the person who holds the
private key does with them. Made by the openssl command, as an administrator makes them."""
import ctypes
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
        return unseal(sealed, self.private)

    def key_id(self):
        """The SHA-256 of the certificate's SubjectPublicKeyInfo."""
        der = openssl("pkey", "-pubin", "-outform", "DER",
                      input=openssl("x509", "-in", self.certificate, "-noout", "-pubkey"))
        return openssl("dgst", "-sha256", "-r", input=der).split()[0].decode()


def unseal(sealed, private):
    """The bytes that were sealed, opened as plugin/README.md says."""
    return openssl("cms", "-decrypt", "-inform", "DER", "-inkey", private, input=sealed)


class Opener:
    """Opens thousands of sealed values with libcrypto, where starting the command for each takes minutes."""

    def __init__(self, private):
        self.crypto = crypto = ctypes.CDLL("libcrypto.so.3")
        for name in ("BIO_new_mem_buf", "BIO_new", "BIO_s_mem", "PEM_read_bio_PrivateKey", "d2i_CMS_bio"):
            getattr(crypto, name).restype = ctypes.c_void_p
        with open(private, "rb") as file:
            pem = file.read()
        bio = self.memory(pem)
        self.key = crypto.PEM_read_bio_PrivateKey(bio, None, None, None)
        crypto.BIO_free(bio)
        assert self.key, f"{private} is no private key"

    def memory(self, data):
        return ctypes.c_void_p(self.crypto.BIO_new_mem_buf(data, len(data)))

    def open(self, sealed):
        crypto, binary, info = self.crypto, 0x80, 3
        source = self.memory(sealed)
        out = ctypes.c_void_p(crypto.BIO_new(ctypes.c_void_p(crypto.BIO_s_mem())))
        cms = ctypes.c_void_p(crypto.d2i_CMS_bio(source, None))
        try:
            assert cms, "these are no sealed bytes"
            assert crypto.CMS_decrypt(cms, ctypes.c_void_p(self.key), None, None, out, binary) == 1, "does not open"
            data = ctypes.c_void_p()
            length = crypto.BIO_ctrl(out, info, ctypes.c_long(0), ctypes.byref(data))
            return ctypes.string_at(data, length)
        finally:
            crypto.CMS_ContentInfo_free(cms)
            crypto.BIO_free(out)
            crypto.BIO_free(source)


def openssl(*arguments, input=None):
    done = subprocess.run(["openssl", *arguments], input=input, capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout
