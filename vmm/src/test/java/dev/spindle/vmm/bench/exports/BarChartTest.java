// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.StringReader;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

class BarChartTest {
  @Test
  void barsAreAsLongAsTheirFiguresSay() throws Exception {
    List<BarChart.Bar> bars =
        List.of(new BarChart.Bar("a<b", 200, ""), new BarChart.Bar("c&d", 50, "4.00"));
    String svg = new BarChart("IOPS", List.of(new BarChart.Group("4k", bars))).svg();
    Document document =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(new InputSource(new StringReader(svg)));
    NodeList rectangles = document.getElementsByTagName("rect");
    assertEquals(3, rectangles.getLength()); // the paper and two bars
    double longer = Double.parseDouble(((Element) rectangles.item(1)).getAttribute("width"));
    double shorter = Double.parseDouble(((Element) rectangles.item(2)).getAttribute("width"));
    assertEquals(4, longer / shorter, 0.01);
    assertEquals("a<b", document.getElementsByTagName("text").item(2).getTextContent());
    assertEquals("50  4.00", document.getElementsByTagName("text").item(5).getTextContent());
  }
}
