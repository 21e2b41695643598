/** An XML element, to be written by {@link renderXml}. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: XmlAttributes;
  readonly children: readonly XmlChild[];
}

export type XmlAttributes = Readonly<Record<string, string | number | undefined>>;
export type XmlChild = XmlElement | string | number;

/** Makes an element; attributes that are undefined are left out. */
export function xml(
  name: string,
  attributes: XmlAttributes = {},
  ...children: readonly XmlChild[]
): XmlElement {
  return { name, attributes, children };
}

/** A character that XML 1.0 can't carry, not even escaped. */
export class UnrepresentableTextError extends Error {
  readonly code = 'FACTORY_ERR_UNREPRESENTABLE_TEXT';
  constructor() {
    super('the text holds a control character that XML can not carry');
    this.name = 'UnrepresentableTextError';
  }
}

/**
 * The element as indented XML text. Text and attribute values are escaped, so that whatever a user
 * named something stays text.
 * @throws UnrepresentableTextError
 */
export function renderXml(element: XmlElement, indent = ''): string {
  const open = `${indent}<${element.name}${renderAttributes(element.attributes)}`;
  if (element.children.length === 0) return `${open}/>\n`;
  const close = `</${element.name}>\n`;
  if (element.children.every((child) => typeof child !== 'object')) {
    return `${open}>${escapeXml(element.children.join(''))}${close}`;
  }
  const inner = element.children.map((child) =>
    typeof child === 'object' ? renderXml(child, `${indent}  `) : escapeXml(String(child)),
  );
  return `${open}>\n${inner.join('')}${indent}${close}`;
}

function renderAttributes(attributes: XmlAttributes): string {
  return Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}='${escapeXml(String(value))}'`)
    .join('');
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&apos;',
  '"': '&quot;',
  // As bare characters, an attribute's tabs and line ends would be read back as blanks.
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** The text with every character escaped that XML gives a meaning to. */
function escapeXml(text: string): string {
  // XML 1.0, production 2 (Char).
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be refused.
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text) || !text.isWellFormed()) {
    throw new UnrepresentableTextError();
  }
  return text.replace(/[&<>'"\t\n\r]/g, (character) => ESCAPES[character] ?? character);
}
