// What somebody has written, as elements. Written by others: only ever text in elements that are made here, never markup.

import { parse, type Block, type Inline } from "./markdown.js";
import { element } from "../parts.js";

export interface TextOptions {
  readonly mentions?: readonly string[];
  readonly me?: string;
}

export function messageText(text: string, { mentions = [], me = "" }: TextOptions = {}): Node[] {
  return parse(text, mentions).map(block => blockElement(block, me));
}

function blockElement(block: Block, me: string): Node {
  switch (block.kind) {
    case "paragraph": return element("p", "", ...inline(block.children, me));
    case "quote": return element("blockquote", "", ...block.children.map(child => blockElement(child, me)));
    case "code": {
      const code = element("pre", "", element("code", "", block.text));
      // Long rows scroll, also without a pointer.
      code.tabIndex = 0;
      return code;
    }
    case "list": {
      const list = element(block.start === null ? "ul" : "ol", "", ...block.items.map(item => element("li", "", ...inline(item, me))));
      if (block.start !== null && block.start !== 1) list.setAttribute("start", `${block.start}`);
      return list;
    }
  }
}

function inline(nodes: readonly Inline[], me: string): Node[] {
  return nodes.map(node => {
    switch (node.kind) {
      case "text": return document.createTextNode(node.text);
      case "strong": return element("strong", "", ...inline(node.children, me));
      case "emphasis": return element("em", "", ...inline(node.children, me));
      case "strike": return element("s", "", ...inline(node.children, me));
      case "code": return element("code", "", node.text);
      case "mention": return element("span", node.user === me ? "mention me" : "mention", `@${node.user}`);
      case "link": {
        const link = element("a", "", ...inline(node.children, me));
        link.href = node.href;
        link.target = "_blank";
        link.rel = "noopener noreferrer nofollow";
        if (link.textContent !== node.href) link.title = node.href;
        return link;
      }
    }
  });
}

/** Some of a text stands out. `marks` are in UTF-16 code units. */
export function markedText(text: string, marks: readonly { readonly begin: number; readonly length: number }[]): Node[] {
  const nodes: Node[] = [];
  let end = 0;
  for (const { begin, length } of marks) {
    if (begin < end) continue;
    nodes.push(document.createTextNode(text.slice(end, begin)), element("mark", "", text.slice(begin, begin + length)));
    end = begin + length;
  }
  nodes.push(document.createTextNode(text.slice(end)));
  return nodes;
}
