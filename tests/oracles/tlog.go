// Whether Go's own transparency-log packages accept the hub's log: the ones by which `go` verifies its checksum database.
//
// Reads {base, key, token} on standard input, asks the hub over HTTP, and writes what was verified.  Every answer of the hub
// is held against sumdb/note and sumdb/tlog, which know nothing of this project.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"oracle/note"
	"oracle/tlog"
)

type request struct {
	Base  string `json:"base"`
	Key   string `json:"key"`
	Token string `json:"token"`
}

type found struct {
	Size          int64 `json:"size"`
	Records       int   `json:"records"`
	Consistencies int   `json:"consistencies"`
	Leaves        int   `json:"leaves"`
	Tiles         int   `json:"tiles"`
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (asked request) get(path string) ([]byte, error) {
	call, err := http.NewRequest("GET", asked.Base+"/v1/audit/"+path, nil)
	if err != nil {
		return nil, err
	}
	if asked.Token != "" {
		call.Header.Set("Authorization", "Bearer "+asked.Token)
	}
	answer, err := http.DefaultClient.Do(call)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != 200 {
		err = fmt.Errorf("%s: %s", path, answer.Status)
	}
	return body, err
}

func (asked request) proof(path string) []tlog.Hash {
	body, err := asked.get("proof/" + path)
	must(err)
	var said struct {
		Proof []tlog.Hash `json:"proof"`
	}
	must(json.Unmarshal(body, &said))
	return said.Proof
}

// reader gives tiles to tlog, which verifies each against the tree before it believes it.
type reader struct {
	asked request
	read  int
}

func (r *reader) Height() int { return 8 }

func (r *reader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r *reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		// The same names as C2SP's tlog-tiles but for the height, which is fixed there.
		one, err := r.asked.get("tile/" + strings.TrimPrefix(tile.Path(), "tile/8/"))
		if err != nil {
			return nil, err
		}
		data = append(data, one)
		r.read++
	}
	return data, nil
}

// entries returns the leaves of the last, incomplete tile, or of a whole one.
func (asked request) entries(number, width int64) [][]byte {
	path := strings.TrimPrefix(tlog.Tile{H: 8, L: 0, N: number, W: int(width)}.Path(), "tile/8/0/")
	body, err := asked.get("tile/entries/" + path)
	must(err)
	var leaves [][]byte
	for len(body) > 0 {
		length := int(body[0])<<8 | int(body[1])
		leaves, body = append(leaves, body[2:2+length]), body[2+length:]
	}
	return leaves
}

func main() {
	var asked request
	must(json.NewDecoder(os.Stdin).Decode(&asked))
	raw, err := asked.get("checkpoint")
	must(err)
	verifier, err := note.NewVerifier(asked.Key)
	must(err)
	opened, err := note.Open(raw, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	decoded, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], decoded)

	tiles := &reader{asked: asked}
	hashes := tlog.TileHashReader(tree, tiles)
	result := found{Size: size}
	for index := int64(0); index < size; index += 1 + size/100 {
		stored, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		must(err)
		ours, err := tlog.ProveRecord(size, index, hashes)
		must(err)
		theirs := asked.proof(fmt.Sprintf("inclusion?index=%d&size=%d", index, size))
		must(tlog.CheckRecord(theirs, size, tree.Hash, index, stored[0]))
		if len(ours) != len(theirs) {
			must(fmt.Errorf("a proof of %d hashes for one of %d", len(theirs), len(ours)))
		}
		result.Records++
	}
	for old := int64(1); old <= size; old += 1 + size/100 {
		root, err := tlog.TreeHash(old, hashes)
		must(err)
		must(tlog.CheckTree(asked.proof(fmt.Sprintf("consistency?from=%d&to=%d", old, size)), size, tree.Hash, old, root))
		result.Consistencies++
	}
	for number := int64(0); number<<8 < size; number++ {
		for place, leaf := range asked.entries(number, min(256, size-number<<8)) {
			stored, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, number<<8+int64(place))})
			must(err)
			if tlog.RecordHash(leaf) != stored[0] {
				must(fmt.Errorf("entry %d is not the one that was hashed", number<<8+int64(place)))
			}
			result.Leaves++
		}
	}
	result.Tiles = tiles.read
	must(json.NewEncoder(os.Stdout).Encode(result))
}
