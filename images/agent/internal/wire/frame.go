package wire

import (
	"fmt"
	"time"

	"github.com/DataDog/agent-payload/v5/process"

	"agentstandin/internal/standin"
)

const frameContent = "application/x-protobuf"

// Frame makes a framed message for path: 16 bytes of version, encoding, message type and time, then protobuf as zstd.
// The error names a message that the protocol does not know.
func Frame(path, host string, at time.Time, message process.MessageBody, headers map[string]string) (Payload, error) {
	kind, err := process.DetectMessageType(message)
	if err != nil {
		return Payload{}, fmt.Errorf("frame: %w", err)
	}
	body, err := process.EncodeMessage(process.Message{
		Header: process.MessageHeader{
			Version: process.MessageV3, Encoding: process.MessageEncodingZstdPBxNoCgo, Type: kind, Timestamp: at.UnixMilli(),
		},
		Body: message,
	})
	if err != nil {
		return Payload{}, fmt.Errorf("frame %s: %w", kind, err)
	}
	// comp/process/submitter and comp/forwarder/orchestrator name these headers.
	all := map[string]string{"X-Dd-Hostname": host, "X-Dd-Processagentversion": standin.Version, "X-DD-Agent-Timestamp": fmt.Sprint(at.Unix())}
	for name, value := range headers {
		all[name] = value
	}
	return Payload{What: kind.String(), Path: path, ContentType: frameContent, Headers: all, Body: body}, nil
}
