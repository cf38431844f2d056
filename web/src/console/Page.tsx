export default function ConsolePage() {
  return <p>Console</p>;
}
