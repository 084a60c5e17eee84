// The Merkle tree of RFC 6962, recursive as its text has it: slow, plain, and nobody's translation.
import { sha256 } from './note.mjs'

export const leafHash = (leaf) => sha256(Buffer.of(0), leaf)
export const nodeHash = (left, right) => sha256(Buffer.of(1), left, right)

const split = (count) => {
  let half = 1
  while (half * 2 < count) half *= 2
  return half
}

export function rootOf(hashes) {
  if (hashes.length === 0) return sha256(Buffer.alloc(0))
  if (hashes.length === 1) return hashes[0]
  const half = split(hashes.length)
  return nodeHash(rootOf(hashes.slice(0, half)), rootOf(hashes.slice(half)))
}

// The root that a leaf and its audit path give (2.1.1 read backwards); throws where the path is too short or too long.
export function rootByInclusion(hash, index, size, path) {
  if (index >= size) throw new Error('beyond the tree')
  if (size === 1) {
    if (path.length) throw new Error('path too long')
    return hash
  }
  if (!path.length) throw new Error('path too short')
  const half = split(size)
  const last = path[path.length - 1]
  const rest = path.slice(0, -1)
  return index < half
    ? nodeHash(rootByInclusion(hash, index, half, rest), last)
    : nodeHash(last, rootByInclusion(hash, index - half, size - half, rest))
}

// Both roots that a consistency proof gives (2.1.2 read backwards): of the tree of `old` leaves and of the one of `size`.
export function rootsByConsistency(old, size, path, oldRoot, whole = true) {
  if (old === size) {
    if (whole ? path.length : path.length !== 1) throw new Error('proof of another length')
    return whole ? [oldRoot, oldRoot] : [path[0], path[0]]
  }
  if (!path.length) throw new Error('proof too short')
  const half = split(size)
  const last = path[path.length - 1]
  const rest = path.slice(0, -1)
  if (old <= half) {
    const [older, newer] = rootsByConsistency(old, half, rest, oldRoot, whole)
    return [older, nodeHash(newer, last)]
  }
  const [older, newer] = rootsByConsistency(old - half, size - half, rest, oldRoot, false)
  return [nodeHash(last, older), nodeHash(last, newer)]
}
