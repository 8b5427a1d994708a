// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.tls;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.InvalidKeyException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.SignatureException;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A private key in a PEM file, not encrypted: PKCS #8, or PKCS #1 as certtool writes it. */
final class PemKey {
  private static final Pattern BLOCK =
      Pattern.compile("-----BEGIN ([A-Z ]*PRIVATE KEY)-----([^-]*)-----END");

  /** Version 0, and the algorithm: 1.2.840.113549.1.1.1 without parameters. */
  private static final byte[] RSA = {
    2, 1, 0, 0x30, 13, 6, 9, 0x2a, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xf7, 13, 1, 1, 1, 5, 0
  };

  private static final int SEQUENCE = 0x30;
  private static final int OCTET_STRING = 4;

  private PemKey() {}

  static PrivateKey read(Path file) throws IOException, GeneralSecurityException {
    Matcher block = BLOCK.matcher(Files.readString(file, StandardCharsets.ISO_8859_1));
    if (!block.find()) {
      throw new IOException("there is no private key in '" + file + "'");
    }
    byte[] der = Base64.getMimeDecoder().decode(block.group(2));
    return switch (block.group(1)) {
      case "PRIVATE KEY" -> ofPkcs8(file, der);
      case "RSA PRIVATE KEY" -> ofPkcs8(file, wrap(der));
      default ->
          throw new IOException(
              "'%s' holds a key of the form '%s'; 'openssl pkcs8 -topk8 -nocrypt' makes one of it"
                      .formatted(file, block.group(1))
                  + " that can be read");
    };
  }

  /** Whether a private key is the other half of a public one: signs something, and looks. */
  static boolean belongs(PrivateKey key, PublicKey other) throws GeneralSecurityException {
    String algorithm =
        switch (key.getAlgorithm()) {
          case "RSA" -> "SHA256withRSA";
          case "EC" -> "SHA256withECDSA";
          default -> "EdDSA";
        };
    try {
      Signature signature = Signature.getInstance(algorithm);
      signature.initSign(key);
      signature.update(RSA);
      byte[] signed = signature.sign();
      signature.initVerify(other);
      signature.update(RSA);
      return signature.verify(signed);
    } catch (InvalidKeyException | SignatureException e) {
      return false; // one is of another kind
    }
  }

  private static PrivateKey ofPkcs8(Path file, byte[] der)
      throws IOException, GeneralSecurityException {
    for (String algorithm : new String[] {"RSA", "EC", "EdDSA"}) {
      try {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
      } catch (InvalidKeySpecException e) {
        // It is one of the others, or none.
        continue;
      }
    }
    throw new IOException("the key in '" + file + "' is none of RSA, EC and EdDSA");
  }

  /** PKCS #1 as the content of PKCS #8. */
  private static byte[] wrap(byte[] key) throws IOException {
    ByteArrayOutputStream inner = new ByteArrayOutputStream();
    inner.write(RSA);
    inner.write(element(OCTET_STRING, key));
    return element(SEQUENCE, inner.toByteArray());
  }

  private static byte[] element(int tag, byte[] content) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(tag);
    // Lengths of keys take two bytes, which one more announces.
    out.write(0x82);
    out.write(content.length >> Byte.SIZE);
    out.write(content.length);
    out.write(content);
    return out.toByteArray();
  }
}
