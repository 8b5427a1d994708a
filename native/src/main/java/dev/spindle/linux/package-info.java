// SPDX-License-Identifier: Apache-2.0

/** Linux system calls as typed handles: files, descriptors, mappings, signals, sockets. */
package dev.spindle.linux;
