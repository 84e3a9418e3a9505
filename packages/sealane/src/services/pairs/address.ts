/** Which port of which process is on the other side. */

/** A port, as its peers see it. */
export interface PortAddress {
  /** Its node: 16 hexadecimal digits. */
  readonly node: string;
  /** Its number within the node. */
  readonly port: number;
  /** The process of its node, as the kernel says; 0 outside of this pid namespace. */
  readonly pid: number;
}
