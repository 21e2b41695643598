import { STATUS_CODES } from 'node:http';
import type { ErrorAnswer } from '../mesos-http.ts';

/** The head of an answer, with its empty line. */
function head(status: number, date: string, fields: string): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nDate: ${date}\r\n${fields}\r\n`;
}

/** A whole answer without a body. */
export function emptyAnswer(status: number, date: string): string {
  return head(status, date, 'Content-Length: 0\r\n');
}

/** A whole answer that says what is wrong. */
export function errorAnswer({ status, message }: ErrorAnswer, date: string): string {
  const length = Buffer.byteLength(message);
  const fields = `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${length}\r\n`;
  return head(status, date, fields) + message;
}

/** The head of an endless answer. */
export function streamHead(id: string, contentType: string, date: string): string {
  const fields = `Content-Type: ${contentType}\r\nMesos-Stream-Id: ${id}\r\n`;
  return head(200, date, `${fields}Transfer-Encoding: chunked\r\n`);
}

/** The last chunk of an endless answer. */
export const LAST_CHUNK = '0\r\n\r\n';

/** What stands before a chunk of so many bytes. */
export function chunkHead(length: number): string {
  return `${length.toString(16)}\r\n`;
}
