// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import java.nio.file.Files;
import java.nio.file.Path;

/** A folder with an authority, a server and a client, made by openssl. */
public final class TestCertificates {
  private TestCertificates() {}

  /** Makes the files. */
  public static Path make(Path folder) throws Exception {
    Files.createDirectories(folder);
    String path = folder + "/";
    NbdDisk.run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=authority",
        "-keyout",
        path + "ca-key.pem",
        "-out",
        path + "ca-cert.pem");
    for (String end : new String[] {"server", "client"}) {
      NbdDisk.run(
          "openssl",
          "req",
          "-newkey",
          "ec",
          "-pkeyopt",
          "ec_paramgen_curve:prime256v1",
          "-nodes",
          "-subj",
          "/CN=localhost",
          "-addext",
          "subjectAltName=DNS:localhost",
          "-keyout",
          path + end + "-key.pem",
          "-out",
          path + end + ".csr");
      NbdDisk.run(
          "openssl",
          "x509",
          "-req",
          "-days",
          "2",
          "-copy_extensions",
          "copy",
          "-in",
          path + end + ".csr",
          "-CA",
          path + "ca-cert.pem",
          "-CAkey",
          path + "ca-key.pem",
          "-CAcreateserial",
          "-out",
          path + end + "-cert.pem");
    }
    return folder;
  }
}
