// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.TestGraph;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Users of one export go from context to context, and so does the node, amid requests. */
@Timeout(300)
class NbdMovesTest {
  private static final int BLOCK = 4096;
  private static final int BLOCKS = 64;
  private static final int DEPTH = 8;
  private static final int USERS = 3;

  @TempDir Path directory;

  private final AtomicReference<String> violation = new AtomicReference<>();
  private final AtomicLong completed = new AtomicLong();

  /** A user of the export with a part of it to itself, whose contents it knows. */
  private final class Busy implements BackendUser {
    final BlockBackend backend;
    private final long start;
    private final long[] contents = new long[BLOCKS];
    private final SplittableRandom random;
    private final List<Request> requests = new ArrayList<>();
    private BackendLane lane;
    private boolean stopped;

    /** Requests, and what their ends have still to do. */
    private int inFlight;

    private CompletableFuture<Void> idle;
    private long counter;

    Busy(BlockNode node, int number, Arena arena) throws Exception {
      this.start = (long) number * BLOCKS * BLOCK;
      this.random = new SplittableRandom(number);
      this.backend = new BlockBackend(node, this, TestGraph.READ_WRITE, Permission.all());
      for (int i = 0; i < DEPTH; i++) {
        requests.add(new Request(arena.allocate(BLOCK, BLOCK)));
      }
    }

    @Override
    public String describe() {
      return "busy user";
    }

    @Override
    public Runnable drainedBegin() {
      return () -> {};
    }

    @Override
    public void drainedEnd() {}

    /** It stays where it is: any context may have lanes. */
    @Override
    public void prepareContextChange(AioContext target, ContextChange change) {}

    /** Control side. */
    void goTo(AioContext context) {
      if (lane != null) {
        halt();
      }
      context.call(
          () -> {
            lane = backend.openLane(context);
            stopped = false;
            sendMore();
            return null;
          });
    }

    void halt() {
      CompletableFuture<Void> halted = new CompletableFuture<>();
      AioContext from = lane.context();
      from.execute(
          () -> {
            stopped = true;
            idle = halted;
            checkIdle();
          });
      halted.join();
      from.call(
          () -> {
            lane.close();
            return null;
          });
      lane = null;
    }

    private void checkIdle() {
      if (idle != null && inFlight == 0) {
        CompletableFuture<Void> halted = idle;
        idle = null;
        halted.complete(null);
      }
    }

    private void sendMore() {
      for (Request request : requests) {
        if (!request.busy && !stopped) {
          request.send();
        }
      }
    }

    private final class Request extends BlockRequest {
      private final MemorySegment memory;
      private int block;
      private boolean busy;

      Request(MemorySegment memory) {
        super(1);
        this.memory = memory;
      }

      void send() {
        do {
          block = random.nextInt(BLOCKS);
        } while (requests.stream().anyMatch(other -> other.busy && other.block == block));
        operation = random.nextBoolean() ? Operation.WRITE : Operation.READ;
        memory.fill((byte) 0);
        if (operation == Operation.WRITE) {
          memory.set(ValueLayout.JAVA_LONG, 0, ++counter);
          memory.set(ValueLayout.JAVA_LONG, BLOCK - 8, ~counter);
        }
        buffers.clear();
        buffers.add(memory, 0, BLOCK);
        offset = start + (long) block * BLOCK;
        length = BLOCK;
        busy = true;
        inFlight++;
        lane.submit(this);
      }

      @Override
      protected void completed(int result) {
        busy = false;
        completed.incrementAndGet();
        if (!lane.context().isOwner()) {
          violation.compareAndSet(null, "completed on another thread");
        }
        if (result != 0) {
          violation.compareAndSet(null, operation + " ended with " + result);
        }
        long value = memory.get(ValueLayout.JAVA_LONG, 0);
        if (operation == Operation.WRITE) {
          contents[block] = value;
        } else if (value != contents[block]) {
          violation.compareAndSet(
              null, "block %d holds %d, not %d".formatted(block, value, contents[block]));
        }
        lane.context()
            .execute(
                () -> {
                  inFlight--;
                  sendMore();
                  checkIdle();
                });
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"one connection", "many connections", "one connection that breaks"})
  void everybodyFindsWhatTheyHaveWritten(String kind) throws Exception {
    Path image = directory.resolve("image.raw");
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength((long) USERS * BLOCKS * BLOCK);
    }
    boolean many = kind.equals("many connections");
    boolean breaks = kind.endsWith("breaks");
    Random random = new Random(11);
    try (NbdPeer server =
            many
                ? NbdPeer.nbdkit(directory, "file", image.toString())
                : NbdPeer.nbdkit(
                    directory,
                    "--filter=multi-conn",
                    "file",
                    image.toString(),
                    "multi-conn-mode=disable");
        TestGraph test = new TestGraph();
        Arena arena = Arena.ofShared()) {
      BlockNode node = test.open(server.node(",reconnect-delay=100"));
      AioContext[] contexts = {test.io0.context(), test.io1.context(), test.mainLoop.context()};
      List<Busy> users = new ArrayList<>();
      for (int i = 0; i < USERS; i++) {
        int number = i;
        users.add(test.get(() -> new Busy(node, number, arena)));
        test.control(() -> users.get(number).goTo(contexts[number]));
      }
      for (int round = 0; round < 120; round++) {
        AioContext to = contexts[random.nextInt(contexts.length)];
        if (breaks && round % 30 == 29) {
          server.kill();
          server.start();
        } else if (random.nextInt(4) == 0) {
          test.control(() -> ContextChange.run(node, to));
        } else {
          Busy user = users.get(random.nextInt(USERS));
          test.control(() -> user.goTo(to));
        }
        long before = completed.get();
        while (completed.get() < before + 50 && violation.get() == null) {
          Thread.onSpinWait();
        }
        assertNull(violation.get(), "round " + round);
      }
      test.control(
          () -> {
            for (Busy user : users) {
              user.halt();
              user.backend.close();
            }
            test.graph.closeAll();
          });
      assertNull(violation.get());
      assertTrue(completed.get() > 1000);
    }
  }
}
