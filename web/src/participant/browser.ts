/** Which browser this is, for one purpose only: to tell a participant where ITS microphone switch is. */

export type Browser = "chrome" | "edge" | "firefox" | "safari" | "safari-ios" | "chrome-android" | "in-app" | "other";

/** Apps that open links inside themselves, often without a microphone. */
const IN_APP = /FBAN|FBAV|Instagram|Line\/|MicroMessenger|LinkedInApp|Snapchat|TikTok|musical_ly|Twitter|GSA\//;

export function browserOf(agent: string): Browser {
  if (IN_APP.test(agent)) return "in-app";
  if (/iPhone|iPad|iPod/.test(agent)) return "safari-ios";
  if (agent.includes("Edg/")) return "edge";
  if (agent.includes("Firefox/")) return "firefox";
  if (agent.includes("Chrome/")) return agent.includes("Android") ? "chrome-android" : "chrome";
  if (agent.includes("Safari/")) return "safari";
  return "other";
}

/** The way to the microphone permission in each browser. */
export function unblockSteps(browser: Browser): string[] {
  switch (browser) {
    case "chrome":
    case "edge":
      return [
        "Select the icon to the left of the web address, at the top of the window.",
        "Switch Microphone on, or choose Allow.",
        "Come back here and press “Try again”. If the browser asks to reload, do so.",
      ];
    case "firefox":
      return [
        "Select the crossed-out microphone to the left of the web address.",
        "Remove the block beside “Use the microphone”.",
        "Press “Try again” and choose Allow.",
      ];
    case "safari":
      return [
        "In the menu bar choose Safari, then Settings for This Website.",
        "Set Microphone to Allow.",
        "Come back here and press “Try again”.",
      ];
    case "safari-ios":
      return [
        "Tap the page-settings button at the left end of the address bar, then Website Settings.",
        "Set Microphone to Allow. If it is not listed: Settings, Apps, your browser, Microphone.",
        "Come back here and press “Try again”.",
      ];
    case "chrome-android":
      return [
        "Tap the icon to the left of the web address, then Permissions.",
        "Switch Microphone on. If it stays off: Android Settings, Apps, your browser, Permissions.",
        "Come back here and press “Try again”.",
      ];
    case "in-app":
      return [
        "You are inside another app’s browser, which often has no microphone.",
        "Open the menu (often three dots) and choose “Open in browser”.",
        "Or copy this page’s address into Safari or Chrome.",
      ];
    case "other":
      return [
        "Open this site’s permissions from the address bar or the browser’s settings.",
        "Allow the microphone for this site.",
        "Come back here and press “Try again”.",
      ];
  }
}
