// SPDX-License-Identifier: Apache-2.0

/** What users type: named values with types, and sentences for what is wrong with them. */
package dev.spindle.block.options;
