// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.crypto;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.security.SecureRandom;
import java.util.HexFormat;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class LuksHashTest {
  /** RFC 6070, section 2; for SHA-256 RFC 7914, section 11. */
  @ParameterizedTest
  @CsvSource({
    "SHA1,password,salt,1,0c60c80f961f0e71f3a9b524af6012062fe037a6",
    "SHA1,password,salt,4096,4b007901b765489abead49d926f721d065a429c1",
    "SHA1,passwordPASSWORDpassword,saltSALTsaltSALTsaltSALTsaltSALTsalt,4096,"
        + "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038",
    "SHA256,passwd,salt,1,55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        + "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
  })
  void derivesAsTheStandardSays(
      LuksHash hash, String password, String salt, long iterations, String key) {
    byte[] expected = HexFormat.of().parseHex(key);
    assertArrayEquals(
        expected,
        hash.pbkdf2(password.getBytes(UTF_8), salt.getBytes(UTF_8), iterations, expected.length));
  }

  @ParameterizedTest
  @EnumSource
  void aSplitKeyIsPutTogether(LuksHash hash) {
    SecureRandom random = new SecureRandom();
    byte[] key = new byte[64];
    random.nextBytes(key);
    byte[] split = AntiForensic.split(hash, key, LuksHeader.STRIPES, random);
    assertArrayEquals(key, AntiForensic.merge(hash, split, LuksHeader.STRIPES));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 63, 64 * 1999, 64 * 4000 - 1})
  void aSplitKeyIsLostWithAnyByteOfIt(int at) {
    byte[] key = new byte[64];
    byte[] split = AntiForensic.split(LuksHash.SHA256, key, LuksHeader.STRIPES, new SecureRandom());
    split[at] ^= 1;
    byte[] merged = AntiForensic.merge(LuksHash.SHA256, split, LuksHeader.STRIPES);
    int same = 0;
    for (byte one : merged) {
      same += one == 0 ? 1 : 0;
    }
    // The last stripe is only added; those before it are mixed.
    assertEquals(at >= 64 * 3999 ? 63 : 0, same >= 60 ? same : 0);
  }
}
