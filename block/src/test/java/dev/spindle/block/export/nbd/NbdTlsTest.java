// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.OptionReply;
import dev.spindle.block.nbd.OptionType;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.tls.X509Credentials;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** TLS with clients that use GnuTLS, and with such as use it wrongly. */
@Timeout(value = 240, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class NbdTlsTest {
  private static final int SIZE = 32 << 20;

  @TempDir static Path certificates;
  @TempDir Path directory;
  private NbdDisk disk;

  @BeforeAll
  static void makeCertificates() throws Exception {
    TestCertificates.make(certificates);
  }

  @BeforeEach
  void open() throws Exception {
    Path image = Disk.image(directory, SIZE);
    disk =
        new NbdDisk(
            directory,
            "driver=file,node-name=d,filename=" + image,
            credentials("verify-peer=on"),
            "tls-creds=tls0",
            "writable=on");
  }

  /** New keys again and again, with requests and replies on their way. */
  @Test
  void clientsRenewTheirKeysAllTheTime() throws Exception {
    X509Credentials own =
        X509Credentials.read(Disk.options("id=tls1,endpoint=client,dir=" + certificates));
    int length = 256 << 10;
    int depth = 8;
    Random random = new Random(9);
    try (RawClient client = RawClient.greeted(disk.path)) {
      TlsBytes tls = client.startTls(own.clientEngine("localhost", 0));
      client.go();
      for (int round = 0; round < 40; round++) {
        byte[] data = new byte[length];
        random.nextBytes(data);
        client.request(Command.WRITE, 0, 0, length);
        client.write(ByteBuffer.allocate(length).put(data));
        client.reply();
        assertEquals(0, client.reply.error);
        int renewed = random.nextInt(depth);
        for (int i = 0; i < depth; i++) {
          client.request(Command.READ, 0, 0, length);
          if (i == renewed) {
            tls.renewKeys();
          }
        }
        for (int i = 0; i < depth; i++) {
          client.reply();
          assertEquals(ByteBuffer.wrap(data), client.read(length));
          if (i == renewed) {
            tls.renewKeys();
          }
        }
      }
    }
  }

  private static X509Credentials credentials(String more) throws Exception {
    return X509Credentials.read(
        Disk.options("id=tls0,endpoint=server,dir=" + certificates + "," + more));
  }

  @AfterEach
  void close() throws Exception {
    disk.close();
  }

  private String uri(Path dir) {
    return disk.uri().replace("nbd+unix", "nbds+unix") + "&tls-certificates=" + dir;
  }

  @Test
  void nbdinfoAndNbdcopyUseTls() throws Exception {
    String info = NbdDisk.run("nbdinfo", uri(certificates));
    assertTrue(info.contains("protocol: newstyle-fixed with TLS"), info);
    Path source = directory.resolve("source.img");
    Path copy = directory.resolve("copy.img");
    byte[] bytes = new byte[SIZE];
    new Random(3).nextBytes(bytes);
    Files.write(source, bytes);
    NbdDisk.run("nbdcopy", "--flush", source.toString(), uri(certificates));
    NbdDisk.run("nbdcopy", uri(certificates), copy.toString());
    assertEquals(-1, Files.mismatch(source, copy));
  }

  /**
   * The server says so after the client's end of the handshake, and perhaps has hung up by then.
   */
  @Test
  void aClientWithoutACertificateIsToldSo() throws Exception {
    Path nobody = Files.createDirectory(directory.resolve("nobody"));
    Files.copy(certificates.resolve("ca-cert.pem"), nobody.resolve("ca-cert.pem"));
    X509Credentials none =
        X509Credentials.read(Disk.options("id=tls0,endpoint=client,dir=" + nobody));
    try (TestGraph client = new TestGraph()) {
      client.control(() -> client.graph.objects().add(none));
      String node = "driver=nbd,export=disk,tls-creds=tls0,server.type=unix,server.path=";
      for (int i = 0; i < 20; i++) {
        String refusal = client.refusal(() -> client.graph.open(Disk.options(node + disk.path)));
        assertTrue(refusal.contains("certificate_required"), refusal);
      }
    }
  }

  @Test
  void qemuUsesTlsWhileTheDiskMoves() throws Exception {
    Process qemu =
        NbdDisk.start(
            "qemu-io",
            "--object",
            "tls-creds-x509,id=t0,endpoint=client,dir=" + certificates,
            "-c",
            "aio_write -P 1 0 8M",
            "-c",
            "aio_write -P 2 8M 8M",
            "-c",
            "aio_flush",
            "-c",
            "read -P 1 0 8M",
            "-c",
            "read -P 2 8M 8M",
            "--image-opts",
            "driver=nbd,export=disk,tls-creds=t0,tls-hostname=localhost,server.type=unix,server.path="
                + disk.path);
    int moves = 0;
    while (qemu.isAlive()) {
      disk.move(moves++ % 2 == 0 ? disk.io1 : disk.io0);
    }
    String output = new String(qemu.getInputStream().readAllBytes(), UTF_8);
    assertEquals(0, qemu.waitFor(), output);
  }

  @Test
  void whoDoesNotUseItGetsNothing() throws Exception {
    String refused = NbdDisk.attempt("nbdinfo", disk.uri());
    assertTrue(refused.contains("TLS"), refused);
    try (RawClient client = RawClient.greeted(disk.path)) {
      for (OptionType option : OptionType.values()) {
        if (option == OptionType.EXPORT_NAME
            || option == OptionType.ABORT
            || option == OptionType.STARTTLS) {
          continue;
        }
        assertEquals(OptionReply.ERR_TLS_REQD.number(), client.ask(option, ByteBuffer.allocate(0)));
      }
      client.option(OptionType.EXPORT_NAME.number(), 4);
      client.assertClosed();
    }
  }

  @Test
  void whatComesInTheClearAfterStartTlsDoesNotCount() throws Exception {
    try (RawClient client = RawClient.greeted(disk.path)) {
      // Both in one write, so that the second is there before TLS begins.
      client.write(
          ByteBuffer.allocate(32)
              .putLong(Handshake.OPTION_MAGIC)
              .putInt(OptionType.STARTTLS.number())
              .putInt(0)
              .putLong(Handshake.OPTION_MAGIC)
              .putInt(OptionType.STRUCTURED_REPLY.number())
              .putInt(0));
      client.optionReply();
      assertEquals(OptionReply.ACK.number(), client.replyType);
      client.assertClosed();
    }
  }

  @Test
  void clientsProveWhoTheyAre() throws Exception {
    Path other = TestCertificates.make(directory.resolve("other"));
    Files.copy(
        certificates.resolve("ca-cert.pem"),
        other.resolve("ca-cert.pem"),
        StandardCopyOption.REPLACE_EXISTING);
    String refused = NbdDisk.attempt("nbdinfo", uri(other));
    assertTrue(refused.contains("nbdinfo: "), refused);
    NbdDisk.run("nbdinfo", uri(certificates));
  }

  private void assertRefused(String reason, Path dir) {
    OptionException refusal =
        assertThrows(
            OptionException.class,
            () -> X509Credentials.read(Disk.options("id=t,endpoint=server,dir=" + dir)));
    assertTrue(refusal.getMessage().startsWith("--blockdev: " + reason), refusal.getMessage());
  }

  @Test
  void credentialsThatMakeNoSenseAreRefused() throws Exception {
    Path nowhere = directory.resolve("nowhere");
    assertRefused("'" + nowhere.resolve("server-key.pem") + "': there is no such file", nowhere);
    Path wrong = Files.createDirectory(directory.resolve("wrong"));
    Path key = wrong.resolve("server-key.pem");
    Path certificate = wrong.resolve("server-cert.pem");
    Files.copy(certificates.resolve("server-cert.pem"), certificate);
    Files.copy(certificates.resolve("client-key.pem"), key);
    String mismatch =
        "the key in '" + key + "' is not that of the certificate in '" + certificate + "'";
    assertRefused(mismatch, wrong);
    NbdDisk.run("openssl", "genrsa", "-out", key.toString(), "2048");
    assertRefused(mismatch, wrong);
    Files.writeString(certificate, "junk");
    assertRefused("'" + certificate + "' holds no certificate: ", wrong);
  }

  @Test
  void keysOfTheOlderFormAreRead() throws Exception {
    Path folder = Files.createDirectory(directory.resolve("traditional"));
    String key = folder + "/server-key.pem";
    NbdDisk.run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-keyout",
        key,
        "-out",
        folder + "/server-cert.pem");
    NbdDisk.run("openssl", "rsa", "-traditional", "-in", key, "-out", key);
    Files.copy(certificates.resolve("ca-cert.pem"), folder.resolve("ca-cert.pem"));
    assertTrue(Files.readString(folder.resolve("server-key.pem")).contains("BEGIN RSA PRIVATE"));
    X509Credentials.read(Disk.options("id=t,endpoint=server,dir=" + folder));
  }
}
