// SPDX-License-Identifier: Apache-2.0

/** Block nodes served to other programs; each protocol has a package of its own. */
package dev.spindle.block.export;
