import "@testing-library/jest-dom/vitest";
import { cleanup } from "@testing-library/react";
import { afterEach, vi } from "vitest";

// Pages go before their doubles do: what a test left unfinished must not meet a browser without microphones.
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

// jsdom has no layout, so no size ever changes.
Object.assign(window, {
  ResizeObserver: class {
    readonly observe = () => undefined;
    readonly disconnect = () => undefined;
  },
});

// jsdom has no <dialog> methods; the pages only need open and close.
if (!("showModal" in HTMLDialogElement.prototype)) {
  Object.assign(HTMLDialogElement.prototype, {
    showModal(this: HTMLDialogElement) {
      this.setAttribute("open", "");
    },
    close(this: HTMLDialogElement) {
      this.removeAttribute("open");
      this.dispatchEvent(new Event("close"));
    },
  });
}
