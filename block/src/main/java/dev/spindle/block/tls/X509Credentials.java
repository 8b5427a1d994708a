// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.tls;

import dev.spindle.block.object.UserObject;
import dev.spindle.block.options.FileTrouble;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.CRL;
import java.security.cert.CertStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.X509CertSelector;
import java.util.Collection;
import javax.net.ssl.CertPathTrustManagerParameters;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;

/**
 * Certificates for TLS ({@code --object tls-creds-x509}): a folder with {@code ca-cert.pem}, maybe
 * {@code ca-crl.pem}, and {@code server-cert.pem} and {@code server-key.pem} or the same for a
 * client, as QEMU has them. Read once, when the object is made. Any thread.
 */
public final class X509Credentials implements UserObject {
  /** As users write it. */
  public static final String TYPE = "tls-creds-x509";

  private static final String[] PROTOCOLS = {"TLSv1.3"};
  private static final char[] NO_PASSWORD = {};

  private final String id;
  private final SSLContext context;
  private final boolean server;
  private final boolean verifyPeer;

  private X509Credentials(String id, SSLContext context, boolean server, boolean verifyPeer) {
    this.id = id;
    this.context = context;
    this.server = server;
    this.verifyPeer = verifyPeer;
  }

  /**
   * Reads what a user says of them, and the files.
   *
   * @throws OptionException if an option is missing or has no such value, or a file is missing or
   *     makes no sense
   */
  public static X509Credentials read(Options options) throws OptionException {
    String id = options.require("id");
    String dir = options.require("dir");
    boolean server = options.choice("endpoint", "client", "client", "server").equals("server");
    boolean verifyPeer = options.bool("verify-peer", true);
    if (options.isNoting()) {
      return new X509Credentials(id, null, server, verifyPeer);
    }
    try {
      return new X509Credentials(id, context(Path.of(dir), server), server, verifyPeer);
    } catch (IOException | GeneralSecurityException e) {
      throw new OptionException(options.owner() + ": " + FileTrouble.sentence(e));
    }
  }

  private static SSLContext context(Path dir, boolean server)
      throws IOException, GeneralSecurityException {
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(
        keys(dir, server ? "server" : "client", server), trust(dir).getTrustManagers(), null);
    return context;
  }

  /** A server needs a certificate, a client may have one. */
  private static KeyManager[] keys(Path dir, String end, boolean needed)
      throws IOException, GeneralSecurityException {
    Path certificate = dir.resolve(end + "-cert.pem");
    if (!needed && !Files.exists(certificate)) {
      return new KeyManager[0];
    }
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    Path keyFile = dir.resolve(end + "-key.pem");
    PrivateKey key = PemKey.read(keyFile);
    Certificate[] chain = certificates(certificate).toArray(Certificate[]::new);
    if (!PemKey.belongs(key, chain[0].getPublicKey())) {
      throw new IOException(
          "the key in '%s' is not that of the certificate in '%s'".formatted(keyFile, certificate));
    }
    store.setKeyEntry(end, key, NO_PASSWORD, chain);
    KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX");
    factory.init(store, NO_PASSWORD);
    return factory.getKeyManagers();
  }

  private static TrustManagerFactory trust(Path dir) throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    int count = 0;
    for (Certificate authority : certificates(dir.resolve("ca-cert.pem"))) {
      store.setCertificateEntry("ca-" + count++, authority);
    }
    TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
    Path revoked = dir.resolve("ca-crl.pem");
    if (!Files.exists(revoked)) {
      factory.init(store);
      return factory;
    }
    PKIXBuilderParameters parameters = new PKIXBuilderParameters(store, new X509CertSelector());
    try (InputStream input = Files.newInputStream(revoked)) {
      Collection<? extends CRL> lists = CertificateFactory.getInstance("X.509").generateCRLs(input);
      parameters.addCertStore(
          CertStore.getInstance("Collection", new CollectionCertStoreParameters(lists)));
    }
    parameters.setRevocationEnabled(true);
    factory.init(new CertPathTrustManagerParameters(parameters));
    return factory;
  }

  private static Collection<? extends Certificate> certificates(Path file)
      throws IOException, GeneralSecurityException {
    try (InputStream input = Files.newInputStream(file)) {
      Collection<? extends Certificate> found =
          CertificateFactory.getInstance("X.509").generateCertificates(input);
      if (found.isEmpty()) {
        throw new IOException("there is no certificate in '" + file + "'");
      }
      return found;
    } catch (CertificateException e) {
      throw new IOException("'%s' holds no certificate: %s".formatted(file, e.getMessage()), e);
    }
  }

  @Override
  public String id() {
    return id;
  }

  @Override
  public String type() {
    return TYPE;
  }

  /** Whether they are those of a server. */
  public boolean isServer() {
    return server;
  }

  /** The server's end of a new connection, by TLS 1.3. */
  public SSLEngine serverEngine() {
    SSLEngine engine = context.createSSLEngine();
    engine.setUseClientMode(false);
    engine.setEnabledProtocols(PROTOCOLS);
    engine.setNeedClientAuth(verifyPeer);
    return engine;
  }

  /**
   * The client's end of a new connection, by TLS 1.3.
   *
   * @param host whose name the server's certificate must have, if peers are verified
   * @param port for resuming sessions; 0 if there is none
   */
  public SSLEngine clientEngine(String host, int port) {
    SSLEngine engine = context.createSSLEngine(host, port);
    engine.setUseClientMode(true);
    engine.setEnabledProtocols(PROTOCOLS);
    if (verifyPeer) {
      SSLParameters parameters = engine.getSSLParameters();
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      engine.setSSLParameters(parameters);
    }
    return engine;
  }
}
