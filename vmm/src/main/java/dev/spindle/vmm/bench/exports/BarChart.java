// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import java.util.List;
import java.util.Locale;

/**
 * Groups of horizontal bars, drawn as SVG. The longest bar of each group is as long as the chart is
 * wide, so lengths compare within a group only.
 */
record BarChart(String unit, List<Group> groups) {
  private static final int WIDTH = 900;
  private static final int MARGIN = 20;
  private static final int NAMES = 170;
  private static final int BARS = 480;
  private static final int LINE = 18;
  private static final int BAR_HEIGHT = 13;
  private static final String[] COLOURS = {"#2f6fab", "#c9742b", "#7a9a3a", "#8d6aa8", "#777777"};

  /** Bars that compare. */
  record Group(String title, List<Bar> bars) {}

  /**
   * One bar.
   *
   * @param note written after the figure
   */
  record Bar(String name, double value, String note) {}

  String svg() {
    int lines = groups.stream().mapToInt(group -> group.bars.size() + 2).sum();
    int height = 2 * MARGIN + (lines + 1) * LINE;
    StringBuilder svg = new StringBuilder();
    svg.append(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n"
            .formatted(WIDTH, height));
    svg.append("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
    int y = MARGIN + LINE;
    text(svg, MARGIN, y, unit + " (ratios: Spindle beside each, requests and processor time)");
    for (Group group : groups) {
      y += 2 * LINE;
      text(svg, MARGIN, y - LINE / 2, group.title);
      double most = group.bars.stream().mapToDouble(Bar::value).max().orElse(1);
      for (int i = 0; i < group.bars.size(); i++) {
        Bar bar = group.bars.get(i);
        text(svg, MARGIN, y + LINE - 4, bar.name);
        double length = most > 0 ? BARS * bar.value / most : 0;
        svg.append(
            String.format(
                Locale.ROOT,
                "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>%n",
                NAMES,
                y + LINE - BAR_HEIGHT - 2,
                length,
                BAR_HEIGHT,
                COLOURS[i % COLOURS.length]));
        String figure = String.format(Locale.ROOT, "%.0f  %s", bar.value, bar.note);
        text(svg, NAMES + (int) length + 6, y + LINE - 4, figure);
        y += LINE;
      }
    }
    return svg.append("</svg>\n").toString();
  }

  private static void text(StringBuilder svg, int x, int y, String text) {
    String escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    svg.append("<text x=\"%d\" y=\"%d\">%s</text>\n".formatted(x, y, escaped));
  }
}
