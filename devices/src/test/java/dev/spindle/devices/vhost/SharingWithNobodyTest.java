// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.SharedMemory;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.linux.Errno;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A back end that goes while memory is shared anew is not waited for. */
// Requests that do not end are waited for longer than that.
@Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SharingWithNobodyTest {
  @TempDir Path folder;

  @Test
  void aBackEndThatGoesWhileQueuesAreToStandStill() throws Exception {
    Path socket = folder.resolve("s");
    try (GuestMemory memory = GuestMemory.allocate(1 << 20);
        HandMadeBackEnd backEnd =
            new HandMadeBackEnd(
                socket,
                message -> Optional.empty(),
                its -> {
                  try {
                    Thread.sleep(1000);
                  } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                  }
                  its.hangUp();
                });
        FrontEndFixture disk =
            new FrontEndFixture("driver=virtio-blk-vhost-user,node-name=disk,path=" + socket, 1)) {
      FrontEndFixture.Request read =
          new FrontEndFixture.Request(Operation.READ, 0, 4096)
              .buffer(FrontEndFixture.bytes(new byte[4096]));
      disk.send(0, read);
      Thread.sleep(200);
      SharedMemory shared = new SharedMemory(memory.segment(), memory.file(), 0);
      CompletableFuture<Void> sharing =
          CompletableFuture.runAsync(
              () ->
                  disk.mainLoop.<Void, RuntimeException>control(
                      "share",
                      () -> {
                        disk.graph.share(shared);
                        return null;
                      }),
              task -> Thread.ofPlatform().start(task));
      assertEquals(-Errno.EIO, read.result.join());
      sharing.join();
    }
  }
}
