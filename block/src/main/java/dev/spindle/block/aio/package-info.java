// SPDX-License-Identifier: Apache-2.0

/** Contexts: event loops on io_uring, the threads that run them, timers and polling. */
package dev.spindle.block.aio;
