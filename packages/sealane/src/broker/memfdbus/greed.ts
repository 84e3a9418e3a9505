/** Who gives way when there is not enough for all: whoever holds most, by user and by process. Owns nothing, and trusts the kernel's ids. */

/** One who holds something: a connection. User and process are those that the kernel states. */
export interface Holder {
  readonly uid: number;
  readonly pid: number;
}

/**
 * The first holder of the process that holds most, of the user that holds most. `amount` is what one holder holds, 0 or more;
 * holders stand in the order of their coming, so the first is the oldest. Undefined when there are none.
 */
export function findGreediest<Member extends Holder>(
  holders: Iterable<Member>,
  amount: (holder: Member) => number,
): Member | undefined {
  const ofUser = largestGroup(holders, ({ uid }) => uid, amount);
  return largestGroup(ofUser, ({ pid }) => pid, amount)[0];
}

/** Of equal groups the one whose first member came first. */
function largestGroup<Member>(
  members: Iterable<Member>,
  keyOf: (member: Member) => number,
  amount: (member: Member) => number,
): Member[] {
  const groups = new Map<number, { sum: number; members: Member[] }>();
  for (const member of members) {
    const group = groups.get(keyOf(member)) ?? { sum: 0, members: [] };
    group.sum += amount(member);
    group.members.push(member);
    groups.set(keyOf(member), group);
  }
  let largest: { sum: number; members: Member[] } = { sum: -1, members: [] };
  for (const group of groups.values()) if (group.sum > largest.sum) largest = group;
  return largest.members;
}
